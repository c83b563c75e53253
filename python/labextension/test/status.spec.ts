import { nullTranslator } from '@jupyterlab/translation';

import {
  cloneCommand,
  duration,
  type IStatus,
  minutesLeft,
  safeURL,
  stateOf,
  warningDue,
  words
} from '../src/status';

const trans = nullTranslator.load('ghscoped');
const NOW = Date.parse('2126-01-01T12:00:00Z');

function connected(minutes: number, more: Partial<IStatus> = {}): IStatus {
  const expires_at = new Date(NOW + minutes * 60_000).toISOString();
  return {
    connection: { login: 'ada', expires_at, access: 'ready', repositories: [] },
    ...more
  };
}

const pending: IStatus = {
  flow: { id: '1', state: 'pending', user_code: 'A', expires_at: '' }
};

describe('stateOf and words', () => {
  it.each<[string, IStatus, string, string]>([
    ['nothing', {}, 'none', 'GitHub: not connected'],
    ['a code', pending, 'waiting', 'GitHub: waiting'],
    [
      'approved',
      { flow: { ...pending.flow!, state: 'approved' } },
      'waiting',
      'GitHub: waiting'
    ],
    ['connected', connected(479.5), 'connected', 'GitHub: 8 h 0 min'],
    [
      'again, while connected',
      { ...connected(9), ...pending },
      'waiting',
      'GitHub: waiting'
    ],
    [
      'an old flow',
      { ...connected(60), flow: { ...pending.flow!, state: 'expired' } },
      'connected',
      'GitHub: 1 h 0 min'
    ],
    ['half an hour', connected(30), 'ending', 'GitHub: ends in 30 min'],
    ['a moment more', connected(30.01), 'connected', 'GitHub: 31 min'],
    ['over', connected(-1), 'none', 'GitHub: not connected'],
    [
      'no date',
      {
        connection: {
          login: 'a',
          expires_at: 'x',
          access: '',
          repositories: []
        }
      },
      'none',
      'GitHub: not connected'
    ],
    [
      'unreachable',
      { problem: { code: 'service_unreachable', message: '' } },
      'trouble',
      'GitHub: unavailable'
    ],
    [
      'another server',
      { problem: { code: 'server_not_chosen', message: '' } },
      'trouble',
      'GitHub: elsewhere'
    ]
  ])('%s', (_, status, state, text) => {
    expect(stateOf(status, NOW)).toBe(state);
    expect(words(status, NOW, trans).text).toBe(text);
  });

  it.each([
    ['not_found', 'is older than this extension'],
    ['not_the_service', 'GHSCOPED_URL'],
    ['bad_token', 'Restart your server'],
    ['signed_out', 'Reload this page'],
    ['service_unreachable', 'does not answer'],
    ['server_unreachable', 'Your server does not answer']
  ])('says what to do about %s', (code, says) => {
    const said = words({ problem: { code, message: '' } }, NOW, trans);
    expect(said.tooltip).toContain(says);
  });

  it('says an unknown problem in the service’s words', () => {
    const problem = { code: 'x', message: 'It broke.', hint: 'Fix it.' };
    expect(words({ problem }, NOW, trans).tooltip).toBe('It broke. Fix it.');
  });
});

test('warningDue is the latest of the warnings that are due', () => {
  const due = [31, 30, 6, 5, 0.5, 0, -3].map(left =>
    warningDue(connected(left), NOW)
  );
  expect(due).toEqual([0, 30, 30, 5, 5, 0, 0]);
  expect(warningDue({}, NOW)).toBe(0);
  const refreshed = connected(30);
  refreshed.connection!.refreshed = true;
  expect(
    [0, 15, 20, 25].map(later => warningDue(refreshed, NOW + later * 60_000))
  ).toEqual([0, 0, 10, 5]);
});

test('minutesLeft rounds up, as the page does', () => {
  expect(minutesLeft(connected(0.1), NOW)).toBe(1);
  expect(duration(60, trans)).toBe('1 h 0 min');
});

describe('cloneCommand', () => {
  const status = { github: 'https://github.com' };

  it('names the repository by its address', () => {
    expect(cloneCommand(status, 'ada/papers.js')).toBe(
      'git clone https://github.com/ada/papers.js'
    );
  });

  it.each([
    'ada/$(id)',
    'ada/a;id',
    'ada/a b',
    "ada/a'",
    '-ada/a',
    'ada/-a',
    'ada',
    'ada/a/b',
    'ada/a\n',
    '../a',
    'ada/<b>'
  ])('refuses %j', name => {
    expect(cloneCommand(status, name)).toBeNull();
  });

  it.each(['', 'javascript:alert(1)', 'file:///etc', undefined])(
    'refuses GitHub at %j',
    github => {
      expect(cloneCommand({ github }, 'ada/papers')).toBeNull();
    }
  );
});

test('safeURL takes web addresses only', () => {
  expect(safeURL('https://x.org/a')).toBe('https://x.org/a');
  for (const bad of [
    'javascript:alert(1)',
    'data:text/html,x',
    '//x',
    '',
    undefined
  ]) {
    expect(safeURL(bad)).toBeNull();
  }
});
