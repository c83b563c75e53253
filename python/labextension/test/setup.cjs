// What jsdom lacks of a browser, and Lumino wants when it is loaded.
globalThis.DragEvent = class DragEvent extends Event {};
