import { ServerConnection } from '@jupyterlab/services';

import { Service, ServiceError } from '../src/service';
import { type IStatus, words } from '../src/status';
import { nullTranslator } from '@jupyterlab/translation';

const RETRY = 30_000;
const trans = nullTranslator.load('ghscoped');
const asked = jest.spyOn(ServerConnection, 'makeRequest');

/** A page that a person sees, or does not. */
function show(visible: boolean): void {
  Object.defineProperty(document, 'hidden', {
    value: !visible,
    configurable: true
  });
  document.dispatchEvent(new Event('visibilitychange'));
}

/** An answer, as far as the extension looks at it; jsdom has none of its own. */
function answer(
  status: number,
  text: string,
  type = 'text/event-stream'
): Response {
  let read = false;
  const reader = {
    read: async () => {
      const done = read;
      read = true;
      return { done, value: done ? undefined : text };
    }
  };
  return {
    ok: status < 300,
    status,
    statusText: String(status),
    headers: { get: () => type },
    body: { pipeThrough: () => ({ getReader: () => reader }) },
    json: async () => JSON.parse(text)
  } as unknown as Response;
}

const event = (status: IStatus) => `data: ${JSON.stringify(status)}\n\n`;

/** Let what is due happen, and nothing else. */
const pass = (milliseconds: number) =>
  jest.advanceTimersByTimeAsync(milliseconds);

beforeAll(() => {
  Object.assign(globalThis, { TextDecoderStream: class {} });
});

beforeEach(() => {
  jest.useFakeTimers();
  asked.mockReset();
  show(true);
});

const listens = jest.spyOn(document, 'addEventListener');

afterEach(() => {
  show(false); // ends the stream
  for (const [type, listener] of listens.mock.calls) {
    document.removeEventListener(type, listener);
  }
  listens.mockClear();
  jest.useRealTimers();
});

function started(): { service: Service; states: (IStatus | null)[] } {
  const service = new Service({ baseUrl: '/' } as ServerConnection.ISettings);
  const states: (IStatus | null)[] = [];
  service.changed.connect(() => states.push(service.status));
  service.start();
  return { service, states };
}

describe('where the stream is not to be had', () => {
  it.each<[string, () => Promise<Response>, string, string]>([
    [
      'no server',
      () => Promise.reject(new TypeError('Failed to fetch')),
      'server_unreachable',
      'GitHub: unavailable'
    ],
    [
      'a server that is stopped',
      async () => answer(503, '<html>', 'text/html'),
      'server_unreachable',
      'GitHub: unavailable'
    ],
    [
      'a server without the routes',
      async () => answer(404, '{}', 'application/json'),
      'server_unreachable',
      'GitHub: unavailable'
    ],
    [
      'signed out',
      async () => answer(403, '{}', 'application/json'),
      'signed_out',
      'GitHub: signed out'
    ],
    [
      'a page to sign in',
      async () => answer(200, '<html>', 'text/html'),
      'server_unreachable',
      'GitHub: unavailable'
    ],
    [
      'nonsense',
      async () => answer(200, 'data: {\n\n'),
      'server_unreachable',
      'GitHub: unavailable'
    ]
  ])('%s: one word, a tooltip, no throw', async (_, reply, code, text) => {
    asked.mockImplementation(reply);
    const { service } = started();
    await pass(0);
    expect(service.status?.problem?.code).toBe(code);
    const said = words(service.status!, service.now(), trans);
    expect(said.text).toBe(text);
    expect(said.tooltip).toMatch(/\w+\.$/);

    await pass(RETRY - 1);
    expect(asked).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it('is not asked again sooner by who goes and comes back', async () => {
    asked.mockImplementation(async () => answer(503, ''));
    started();
    await pass(0);
    for (let i = 0; i < 9; i++) {
      show(false);
      show(true);
      await pass(1000);
    }
    expect(asked).toHaveBeenCalledTimes(1);
    await pass(RETRY);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it('is asked for again after a stream that ended, too', async () => {
    asked.mockImplementation(async () => answer(200, event({ now: 1 })));
    const { states } = started();
    await pass(RETRY - 1);
    expect(asked).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(states.some(state => state?.problem)).toBe(false);
  });

  it('keeps what is known of the connection', async () => {
    const connection = { login: 'ada', expires_at: '2126-01-01T00:00:00Z' };
    asked.mockImplementationOnce(async () =>
      answer(200, event({ connection }))
    );
    asked.mockImplementation(async () => answer(503, ''));
    const { service } = started();
    await pass(RETRY);
    expect(service.status?.problem?.code).toBe('server_unreachable');
    expect(service.status?.connection).toEqual(connection);
  });
});

it('asks nothing while nobody sees the page, and once it is seen', async () => {
  asked.mockImplementation(async () => answer(200, event({})));
  show(false);
  started();
  await pass(10 * RETRY);
  expect(asked).not.toHaveBeenCalled();
  show(true);
  await pass(0);
  expect(asked).toHaveBeenCalledTimes(1);
});

it('asks no more where there is no service', async () => {
  asked.mockImplementation(async () => answer(200, event({ absent: true })));
  started();
  await pass(100 * RETRY);
  expect(asked).toHaveBeenCalledTimes(1);
});

describe('what is asked for by a click', () => {
  it.each<[string, () => Promise<Response>, string]>([
    [
      'no server',
      () => Promise.reject(new TypeError('x')),
      'server_unreachable'
    ],
    ['a page', async () => answer(502, '<html>'), 'server_unreachable'],
    ['signed out', async () => answer(403, '{}'), 'signed_out'],
    [
      'the service refuses',
      async () => answer(502, '{"error":{"code":"too_many","message":"No."}}'),
      'too_many'
    ]
  ])('%s: is a problem that can be said', async (_, reply, code) => {
    asked.mockImplementation(reply);
    const service = new Service({ baseUrl: '/' } as ServerConnection.ISettings);
    for (const act of [
      () => service.connect(),
      () => service.cancel(),
      () => service.disconnect()
    ]) {
      const error = await act().catch((found: unknown) => found);
      expect(error).toBeInstanceOf(ServiceError);
      expect((error as ServiceError).problem.code).toBe(code);
    }
  });
});
