import { readdirSync, readFileSync } from 'fs';
import { join } from 'path';

const german = JSON.parse(
  readFileSync(
    join(
      __dirname,
      '../../src/ghscoped/locale/de_DE/LC_MESSAGES/ghscoped.json'
    ),
    'utf-8'
  )
) as Record<string, string[]>;

/** Every text in the sources that is given to a translator. */
function texts(): string[] {
  const folder = join(__dirname, '../src');
  return readdirSync(folder).flatMap(file => {
    const source = readFileSync(join(folder, file), 'utf-8');
    return [
      ...source.matchAll(/[^)]trans\s*\.__\(\s*'((?:[^'\\]|\\.)*)'/g)
    ].map(found => found[1]);
  });
}

test('every text is there in German, and no other', () => {
  const translated = Object.keys(german).filter(key => key);
  expect([...new Set(texts())].sort()).toEqual(translated.sort());
});

test('a translation has the places of its original', () => {
  const places = (text: string) => (text.match(/%\d/g) ?? []).sort();
  for (const [text, [translation]] of Object.entries(german).filter(
    ([key]) => key
  )) {
    expect(places(translation)).toEqual(places(text));
  }
});
