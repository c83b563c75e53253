import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { CodeBody, ConnectionBody } from '../src/bodies';
import type { Service } from '../src/service';
import type { IStatus } from '../src/status';
import { StatusItem } from '../src/statusitem';

const trans = nullTranslator.load('ghscoped');
const NOW = Date.parse('2126-01-01T12:00:00Z');
const END = '2126-01-01T20:00:00Z';

/** Names that GitHub would not take, from who stands in its place. */
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(1)</script>',
  "' onmouseover=alert(1) '",
  '&lt;b&gt;',
  '%1 %2',
  'a\n\r\t\u0000b',
  '\u202Egnp.exe',
  'x'.repeat(100_000)
];

class FakeService {
  readonly changed = new Signal<this, void>(this);
  now = () => NOW;
  constructor(public status: IStatus) {}
}

const service = (status: IStatus) =>
  new FakeService(status) as unknown as Service;

beforeAll(() => {
  // jsdom has none of it.
  Object.assign(globalThis, { CSS: { escape: (text: string) => text } });
});

describe.each(HOSTILE)('the name %.30j', name => {
  const status: IStatus = {
    github: 'https://github.com',
    connection: {
      login: name,
      expires_at: END,
      access: 'ready',
      repositories: [{ full_name: name, push: true }]
    }
  };

  it('is text in the panel, and is not cloned', () => {
    const body = new ConnectionBody(service(status), trans, () => undefined);
    expect(body.node.querySelectorAll('img, script, button, b')).toHaveLength(
      0
    );
    const text = body.node.textContent!;
    expect(text).not.toMatch(/\p{C}/u);
    expect(text.length).toBeLessThan(1000);
    expect(body.node.querySelector('li')!.textContent).toContain(
      name.slice(0, 1).replace(/\p{C}/u, '\uFFFD')
    );
  });

  it('is text in the status bar', () => {
    const asked = service(status);
    const item = new StatusItem(asked, trans, () => undefined);
    (asked as unknown as FakeService).changed.emit();
    expect(item.node.children).toHaveLength(0);
    expect(item.node.title).not.toMatch(/\p{C}/u);
    expect(item.node.title.length).toBeLessThan(300);
  });
});

it.each<[string, Partial<IStatus['connection']>]>([
  ['no list', {}],
  ['an empty list', { repositories: [] }],
  ['names that are none', { repositories: [{ push: true } as never] }]
])('the panel of an older service: %s', (_, more) => {
  const connection = { login: 'ada', expires_at: END, ...more };
  const body = new ConnectionBody(service({ connection }), trans, null);
  expect(body.node.textContent).toContain('Connected as ada');
});

it.each(['javascript:alert(1)', 'data:text/html,x', '//evil.org', ''])(
  'no link leads to %j',
  address => {
    const connection = {
      login: 'ada',
      expires_at: END,
      installations_url: address,
      fix_url: address
    };
    const body = new ConnectionBody(service({ connection }), trans, null);
    expect(body.node.querySelector('a')).toBeNull();
    const flow = {
      id: '1',
      state: 'pending',
      user_code: '<b>A</b>',
      verification_uri: address,
      expires_at: END
    };
    const code = new CodeBody(service({}), flow, trans);
    expect(code.node.querySelector('b')).toBeNull();
    expect(code.node.textContent).toContain('Enter this code at github.com');
  }
);
