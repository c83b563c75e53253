import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Service } from './service';
import { stateOf, words } from './status';

/** The item in the status bar: a button that says what stands. */
export class StatusItem extends Widget {
  constructor(
    private _service: Service,
    private _trans: TranslationBundle,
    open: () => void
  ) {
    super({ node: document.createElement('button') });
    this.addClass('jp-ghscoped-Status');
    this.node.setAttribute('type', 'button');
    this.node.addEventListener('click', open);
    this.hide();
    _service.changed.connect(this._draw, this);
  }

  private _draw(): void {
    const status = this._service.status;
    this.setHidden(!status || !!status.absent);
    if (!status || status.absent) {
      return;
    }
    const now = this._service.now();
    const { text, tooltip } = words(status, now, this._trans);
    if (this.node.textContent !== text) {
      this.node.textContent = text;
    }
    this.node.title = tooltip;
    this.node.setAttribute('aria-label', `${text}. ${tooltip}`);
    this.node.setAttribute('data-state', stateOf(status, now));
  }
}
