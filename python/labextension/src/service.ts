import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IFlow, IProblem, IStatus } from './status';

/** How long to wait before the stream is opened again, in milliseconds. */
const RETRY = 30_000;
/** How often signals say that time has passed. */
const TICK = 20_000;

/**
 * The routes of this extension at the Jupyter server. While the page is visible
 * there is one stream of events, over which the server says what stands; nothing
 * is polled.
 */
export class Service {
  constructor(
    private _settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  /** What stands, as far as is known. */
  get status(): IStatus | null {
    return this._status;
  }

  /** The time by the service's clock. */
  now(): number {
    return Date.now() + this._ahead;
  }

  /** Something changed, or time has passed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Begin to listen. */
  start(): void {
    document.addEventListener('visibilitychange', () => this._look());
    window.setInterval(() => this._changed.emit(), TICK);
    this._look();
  }

  connect(): Promise<IFlow> {
    return this._request('POST', 'flow') as Promise<IFlow>;
  }

  async cancel(): Promise<void> {
    await this._request('DELETE', 'flow');
  }

  async disconnect(): Promise<void> {
    await this._request('DELETE', 'connection');
  }

  private async _request(method: string, path: string): Promise<unknown> {
    let answer: Response;
    let body: { error?: IProblem };
    try {
      answer = await this._fetch(path, { method });
      refuse(answer);
      body = (await answer.json()) as { error?: IProblem };
    } catch (error) {
      throw new ServiceError(problemOf(error));
    }
    if (!answer.ok || body.error) {
      throw new ServiceError(body.error ?? problemOf(answer.statusText));
    }
    return body;
  }

  private _fetch(path: string, init: RequestInit): Promise<Response> {
    const url = URLExt.join(this._settings.baseUrl, 'ghscoped', path);
    return ServerConnection.makeRequest(url, init, this._settings);
  }

  /** Listen while somebody can see the page: browsers allow six streams a host. */
  private _look(): void {
    if (document.hidden || this._status?.absent) {
      this._stream?.abort();
      this._stream = null;
    } else if (!this._stream) {
      const stream = new AbortController();
      this._stream = stream;
      void this._listen(stream.signal);
    }
  }

  private async _listen(signal: AbortSignal): Promise<void> {
    // Also where somebody goes to another tab and comes back.
    await pause(this._again - Date.now(), signal);
    while (!signal.aborted) {
      try {
        await this._read(signal);
      } catch (error) {
        if (!signal.aborted) {
          const problem = problemOf(error);
          this._take({ ...this._status, now: undefined, problem });
        }
      }
      if (!signal.aborted) {
        this._again = Date.now() + RETRY;
        await pause(RETRY, signal);
      }
    }
  }

  /** Read one stream of server-sent events (HTML, 9.2) to its end. */
  private async _read(signal: AbortSignal): Promise<void> {
    const answer = await this._fetch('events', {
      method: 'POST',
      signal,
      headers: { Accept: 'text/event-stream' }
    });
    refuse(answer);
    const type = answer.headers.get('Content-Type') ?? '';
    if (!answer.ok || !answer.body || !type.startsWith('text/event-stream')) {
      throw new Error(answer.statusText);
    }
    const reader = answer.body
      .pipeThrough(
        new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>
      )
      .getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const events = (text + value).split('\n\n');
      text = events.pop()!;
      for (const event of events) {
        if (event.startsWith('data:')) {
          this._take(JSON.parse(event.slice(5)) as IStatus);
        }
      }
    }
  }

  private _take(status: IStatus): void {
    this._status = status;
    if (status.now) {
      const ahead = status.now * 1000 - Date.now();
      // Dates of HTTP have whole seconds.
      this._ahead = Math.abs(ahead) > 2000 ? ahead : 0;
    }
    if (status.absent) {
      this._look();
    }
    this._changed.emit();
  }

  /** When the stream may be opened next, by the browser's clock. */
  private _again = 0;
  private _ahead = 0;
  private _changed = new Signal<this, void>(this);
  private _status: IStatus | null = null;
  private _stream: AbortController | null = null;
}

/** What the service answered instead of doing it. */
export class ServiceError extends Error {
  constructor(readonly problem: IProblem) {
    super(problem.message);
  }
}

/** The server knows no such person (any more): a reload leads to the sign-in. */
function refuse(answer: Response): void {
  if (answer.status === 401 || answer.status === 403) {
    throw new ServiceError({ code: 'signed_out', message: answer.statusText });
  }
}

/** What is wrong where a request came to nothing. */
function problemOf(error: unknown): IProblem {
  return error instanceof ServiceError
    ? error.problem
    : { code: 'server_unreachable', message: String(error) };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (milliseconds <= 0 || signal.aborted) {
      resolve();
      return;
    }
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
