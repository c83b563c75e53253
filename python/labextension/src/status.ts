/**
 * What the server says stands, and what that means to a person. No widgets, no
 * requests.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

export interface IProblem {
  code: string;
  message: string;
  hint?: string;
}

export interface IRepository {
  full_name: string;
  push: boolean;
}

export interface IConnection {
  login: string;
  expires_at: string;
  /** The service prolongs it before its end, while the server runs. */
  refreshed?: boolean;
  access?: string;
  repositories?: IRepository[];
  installations_url?: string;
  fix_url?: string;
}

export interface IFlow {
  id: string;
  state: string;
  /** Only while pending, and only where it was begun in this server. */
  user_code?: string;
  verification_uri?: string;
  /** The page offers a way without a code. */
  web?: boolean;
  expires_at: string;
  error?: IProblem;
}

export interface IStatus {
  /** The Hub has no such service: show nothing. */
  absent?: boolean;
  /** Seconds since 1970, by the service's clock. */
  now?: number;
  /** The service's page; empty where the server does not know. */
  page?: string;
  /** GitHub's address. */
  github?: string;
  connection?: IConnection | null;
  flow?: IFlow;
  /** How often git, run by the Git panel, wanted a code shown. */
  asked?: number;
  problem?: IProblem;
}

export type State = 'none' | 'waiting' | 'connected' | 'ending' | 'trouble';

/** Minutes before the end at which a person is warned. */
const WARNINGS = [30, 5];
/** The same where the service prolongs it, which it does 15 minutes before. */
const WARNINGS_IF_NOT_REFRESHED = [10, 5];

/** The state that a person should see; a connection that is over counts as none. */
export function stateOf(status: IStatus, now: number): State {
  if (status.flow && ['pending', 'approved'].includes(status.flow.state)) {
    return 'waiting';
  }
  if (status.problem) {
    return 'trouble';
  }
  const left = minutesLeft(status, now);
  if (left <= 0) {
    return 'none';
  }
  return warningDue(status, now) > 0 ? 'ending' : 'connected';
}

/** Whole minutes, begun ones too, until the connection ends; 0: there is none. */
export function minutesLeft(status: IStatus, now: number): number {
  const until = status.connection
    ? Date.parse(status.connection.expires_at)
    : NaN;
  return Number.isNaN(until)
    ? 0
    : Math.max(0, Math.ceil((until - now) / 60_000));
}

/** The warning that is due: its minutes, 0 for none. */
export function warningDue(status: IStatus, now: number): number {
  const left = minutesLeft(status, now);
  const warnings = status.connection?.refreshed
    ? WARNINGS_IF_NOT_REFRESHED
    : WARNINGS;
  return left > 0 ? (warnings.filter(at => left <= at).pop() ?? 0) : 0;
}

export function duration(minutes: number, trans: TranslationBundle): string {
  return minutes < 60
    ? trans.__('%1 min', minutes)
    : trans.__('%1 h %2 min', Math.floor(minutes / 60), minutes % 60);
}

/** The text of the status bar, and its tooltip. */
export function words(
  status: IStatus,
  now: number,
  trans: TranslationBundle
): { text: string; tooltip: string } {
  const left = duration(minutesLeft(status, now), trans);
  const login = shown(status.connection?.login);
  switch (stateOf(status, now)) {
    case 'waiting':
      return {
        text: trans.__('GitHub: waiting'),
        tooltip: trans.__(
          'Waiting for your approval at GitHub. Click to continue.'
        )
      };
    case 'connected':
      return {
        text: trans.__('GitHub: %1', left),
        tooltip: trans.__('Connected to GitHub as %1, for %2', login, left)
      };
    case 'ending':
      return {
        text: trans.__('GitHub: ends in %1', left),
        tooltip: trans.__(
          'Connected to GitHub as %1. Click to connect again.',
          login
        )
      };
    case 'trouble':
      return {
        text: trouble(status.problem!, trans),
        tooltip: explain(status.problem!, trans)
      };
    default:
      return {
        text: trans.__('GitHub: not connected'),
        tooltip: trans.__('Connect GitHub, to push from this server')
      };
  }
}

function trouble(problem: IProblem, trans: TranslationBundle): string {
  switch (problem.code) {
    case 'server_not_chosen':
      return trans.__('GitHub: elsewhere');
    case 'signed_out':
      return trans.__('GitHub: signed out');
    default:
      return trans.__('GitHub: unavailable');
  }
}

/** What is wrong, and what to do, in a sentence or two. */
export function explain(problem: IProblem, trans: TranslationBundle): string {
  switch (problem.code) {
    case 'service_unreachable':
      return trans.__(
        'The service “Connect GitHub” does not answer. It is asked again automatically.'
      );
    case 'server_unreachable':
      return trans.__(
        'Your server does not answer. It is asked again automatically.'
      );
    case 'signed_out':
      return trans.__(
        'Your server does not know you any more. Reload this page to sign in again.'
      );
    case 'not_found':
      return trans.__(
        'The service “Connect GitHub” of this Hub is older than this extension. Your Hub’s administrators can update it.'
      );
    case 'not_the_service':
      return trans.__(
        'The service “Connect GitHub” is not where this server looks for it. Your Hub’s administrators can check GHSCOPED_URL.'
      );
    case 'server_not_chosen':
      return trans.__(
        'You are connected, but not for this server. Click to allow it.'
      );
    case 'bad_token':
      return trans.__(
        'The Hub does not know this server any more. Restart your server from the Hub’s home page.'
      );
    default:
      return sentence(problem);
  }
}

/** A name as it may be shown: without what could hide or turn around what is beside it. */
export function shown(name: unknown): string {
  return String(name ?? '')
    .replace(/\p{C}/gu, '\uFFFD')
    .slice(0, 140);
}

/** What happened, and what to do. */
export function sentence(problem: IProblem): string {
  return [problem.message, problem.hint].filter(Boolean).join(' ');
}

/** An address that may become a link: https, or http where the Hub itself has none. */
export function safeURL(text: string | undefined): string | null {
  try {
    const url = new URL(text ?? '');
    return ['https:', 'http:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** The command that clones a repository; null where a name is none of GitHub's. */
export function cloneCommand(status: IStatus, name: string): string | null {
  const github = safeURL(status.github);
  if (
    !github ||
    !/^[A-Za-z0-9][A-Za-z0-9-]*\/[A-Za-z0-9._][A-Za-z0-9._-]*$/.test(name)
  ) {
    return null;
  }
  const address = new URL(github);
  return /^[A-Za-z0-9.:-]+$/.test(address.host)
    ? `git clone ${address.origin}/${name}`
    : null;
}
