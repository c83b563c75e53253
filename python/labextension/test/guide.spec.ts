import type { Dialog } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';

import { Guide, type ILab } from '../src/guide';
import { type Service, ServiceError } from '../src/service';
import type { IFlow, IStatus } from '../src/status';

const NOW = Date.parse('2126-01-01T12:00:00Z');
const CODE: IFlow = {
  id: '1',
  state: 'pending',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://github.com/login/device',
  expires_at: '2126-01-01T12:15:00Z'
};

/** The server's part, as a test wants it. */
class FakeService {
  readonly changed = new Signal<this, void>(this);
  status: IStatus | null = {};
  time = NOW;
  now = () => this.time;
  connect = jest.fn(async () => CODE);
  cancel = jest.fn(async () => undefined);
  disconnect = jest.fn(async () => undefined);

  become(status: IStatus): void {
    this.status = status;
    this.changed.emit();
  }
}

/** JupyterLab: dialogs that wait for an answer, and what was said. */
function lab() {
  const dialogs: {
    focused: string;
    text: string;
    answer(action: string): void;
  }[] = [];
  const said: string[] = [];
  const say = (text: string) => String(said.push(text));
  const parts = {
    dialog: (options: Partial<Dialog.IOptions<never>>) => {
      let answer: (action: string) => void = () => undefined;
      const answered = new Promise(resolve => {
        answer = action => resolve({ button: { actions: [action] } });
      });
      const body = options.body as unknown as { node: HTMLElement };
      const labels = (options.buttons ?? []).map(button => button.label);
      const focused = labels[options.defaultButton ?? -1];
      dialogs.push({
        focused,
        text: body.node.textContent ?? '',
        answer
      });
      return { launch: () => answered, reject: () => answer('') };
    },
    copy: jest.fn(),
    notification: {
      error: say,
      success: say,
      info: say,
      warning: say,
      dismiss: jest.fn()
    }
  };
  return { dialogs, said, parts };
}

function guided() {
  const service = new FakeService();
  const seen = lab();
  const guide = new Guide(
    new CommandRegistry(),
    service as unknown as Service,
    nullTranslator.load('ghscoped'),
    seen.parts as unknown as ILab
  );
  return { service, guide, ...seen };
}

function connected(minutes: number, login = 'ada'): IStatus {
  const expires_at = new Date(NOW + minutes * 60_000).toISOString();
  const repositories = [{ full_name: login + '/papers', push: true }];
  return { connection: { login, expires_at, access: 'ready', repositories } };
}

const settle = () => new Promise(resolve => setTimeout(resolve));
const open = jest.spyOn(window, 'open').mockReturnValue(null);

beforeEach(() => open.mockClear());

describe('the code', () => {
  it('is copied and GitHub opened by one button', async () => {
    const { guide, dialogs, parts } = guided();
    const done = guide.open();
    await settle();
    expect(dialogs[0].focused).toBe('Copy code and open GitHub');
    expect(dialogs[0].text).toContain('WDJB-MJHT');
    expect(dialogs[0].text).toContain('github.com/login/device');
    dialogs[0].answer('go');
    await done;
    expect(parts.copy).toHaveBeenCalledWith('WDJB-MJHT');
    expect(open.mock.calls[0][0]).toBe('https://github.com/login/device');
  });

  it('that a program waits for is shown once', async () => {
    const { service, dialogs } = guided();
    service.become({ flow: CODE });
    service.become({ flow: CODE });
    dialogs[0].answer('later');
    await settle();
    service.become({ flow: CODE });
    expect(dialogs).toHaveLength(1);
    expect(service.cancel).not.toHaveBeenCalled();
    service.become({ flow: { ...CODE, id: '2' } });
    expect(dialogs).toHaveLength(2);
  });

  it('that was put away is shown again when a push waits for it', async () => {
    const { service, dialogs } = guided();
    service.become({ flow: CODE });
    dialogs[0].answer('later');
    await settle();
    service.become({ flow: CODE, asked: 1 });
    service.become({ flow: CODE, asked: 1 });
    expect(dialogs).toHaveLength(2);
  });

  it.each([
    ['git waits for', 1, 1],
    ['a page finds that comes later', undefined, 0]
  ])('that %s and that is cancelled', async (_, then, times) => {
    const { service, dialogs, said } = guided();
    if (then) {
      service.become({ asked: 0 });
    }
    service.become({ asked: then ?? 7, flow: CODE });
    dialogs[0].answer('cancel');
    await settle();
    expect(service.cancel).toHaveBeenCalledTimes(1);
    expect(said).toHaveLength(times);
    expect(said.join()).toMatch(times ? /Connect GitHub, then/ : /^$/);
    // The next one is the person's own.
    service.become({ asked: then ?? 7, flow: { ...CODE, state: 'cancelled' } });
    service.become({ asked: then ?? 7, flow: { ...CODE, id: '2' } });
    dialogs[1].answer('cancel');
    await settle();
    expect(said).toHaveLength(times);
  });

  it('goes when the connection is there, which is said', async () => {
    const { service, guide, said } = guided();
    service.become({ flow: CODE });
    service.become({
      ...connected(480),
      flow: { ...CODE, state: 'connected' }
    });
    await settle();
    expect(said).toEqual(['Connected to GitHub as ada.']);
    expect((guide as unknown as { _code: unknown })._code).toBeNull();
  });

  it('that failed is said with what to do', () => {
    const { service, said } = guided();
    service.become({ flow: CODE });
    const error = { code: 'x', message: 'GitHub refused.', hint: 'Ask again.' };
    service.become({ flow: { ...CODE, state: 'failed', error } });
    expect(said).toEqual(['GitHub refused. Ask again.']);
  });

  it('is cancelled at the service', async () => {
    const { service, guide, dialogs } = guided();
    const done = guide.connect();
    await settle();
    dialogs[0].answer('cancel');
    await done;
    expect(service.cancel).toHaveBeenCalled();
  });

  it('comes second where the web flow is configured', async () => {
    const { service, dialogs } = guided();
    service.become({ page: 'https://hub/x', flow: { ...CODE, web: true } });
    expect(dialogs[0].focused).toBe('Continue with GitHub');
    dialogs[0].answer('web');
    await settle();
    expect(open.mock.calls[0][0]).toBe('https://hub/x');
    expect(service.cancel).toHaveBeenCalled();
  });

  it('of another page is not shown; that page is opened', async () => {
    const { service, guide, dialogs } = guided();
    service.become({
      page: 'https://hub/x',
      flow: { ...CODE, user_code: undefined }
    });
    await guide.open();
    expect(dialogs).toHaveLength(0);
    expect(open.mock.calls[0][0]).toBe('https://hub/x');
  });
});

test('what the service refuses is said, and nothing throws', async () => {
  const { service, guide, said } = guided();
  service.connect.mockRejectedValue(
    new ServiceError({ code: 'x', message: 'Too many.', hint: 'Wait.' })
  );
  await guide.open();
  expect(said).toEqual(['Too many. Wait.']);
});

test('the end is warned of once at 30 and once at 5 minutes', () => {
  const { service, said, parts } = guided();
  for (const minutes of [31, 30, 29, 5, 4, 0]) {
    service.time = NOW + (31 - minutes) * 60_000;
    service.become(connected(31));
  }
  expect(said).toEqual([
    'Your GitHub connection ends in 30 min.',
    'Your GitHub connection ends in 5 min.'
  ]);
  expect(parts.notification.dismiss).toHaveBeenCalledTimes(2); // the first, and at the end
});

test('a warning goes when the person has connected again', () => {
  const { service, parts } = guided();
  service.become(connected(20));
  service.become(connected(480));
  expect(parts.notification.dismiss).toHaveBeenCalledTimes(1);
});

test('hostile names are text', async () => {
  const { service, guide, dialogs } = guided();
  service.become(connected(100, '<img src=x onerror=alert(1)>'));
  void guide.open();
  expect(dialogs[0].text).toContain('<img src=x onerror=alert(1)>/papers');
});
