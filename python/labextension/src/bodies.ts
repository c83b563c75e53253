/** The bodies of the two dialogs, made of elements: no name becomes HTML. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Service } from './service';
import {
  cloneCommand,
  duration,
  type IFlow,
  type IStatus,
  minutesLeft,
  safeURL,
  shown
} from './status';

/** How many repositories are listed; the page has all. */
const LISTED = 20;

/** The code, where to enter it, and how long it is valid. */
export class CodeBody extends Widget {
  constructor(
    private _service: Service,
    private _flow: IFlow,
    private _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-ghscoped-Code');
    const host = new URL(
      safeURL(_flow.verification_uri) ?? 'https://github.com'
    );
    const text = _flow.user_code ?? '';
    const code = element('span', text, 'jp-ghscoped-Code-text');
    code.setAttribute('aria-hidden', 'true');
    const spelled = element('span', [...text].join(' '), 'jp-ghscoped-hidden');
    const line = element('p', '', 'jp-ghscoped-Code-line');
    line.append(code, spelled);
    this.node.append(
      element(
        'p',
        _trans.__('Enter this code at %1:', host.host + host.pathname)
      ),
      line,
      this._left,
      element(
        'p',
        _trans.__(
          'Enter only a code that you asked for yourself, or that a git push of yours is waiting for.'
        )
      )
    );
    this._count();
  }

  protected onAfterAttach(): void {
    this._timer = window.setInterval(() => this._count(), 1000);
  }

  protected onBeforeDetach(): void {
    window.clearInterval(this._timer);
  }

  private _count(): void {
    const until = Date.parse(this._flow.expires_at) - this._service.now();
    const seconds = Math.max(0, Math.round(until / 1000));
    const left = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    this._left.textContent = this._trans.__('Valid for another %1', left);
  }

  private _left = element('p', '', 'jp-ghscoped-Code-left');
  private _timer = 0;
}

/** Who is connected, for how long, and where one can push to. */
export class ConnectionBody extends Widget {
  constructor(
    private _service: Service,
    private _trans: TranslationBundle,
    private _clone: ((command: string) => void) | null
  ) {
    super();
    this.addClass('jp-ghscoped-Connection');
    this._draw();
    _service.changed.connect(this._draw, this);
  }

  private _draw(): void {
    const status = this._service.status;
    const connection = status?.connection;
    const focused = document.activeElement?.getAttribute('data-repository');
    if (!status || !connection) {
      return;
    }
    const trans = this._trans;
    const left = duration(minutesLeft(status, this._service.now()), trans);
    this.node.replaceChildren(
      element(
        'p',
        trans.__(
          'Connected as %1, for another %2.',
          shown(connection.login),
          left
        )
      ),
      ...this._repositories(status)
    );
    if (focused) {
      this.node
        .querySelector<HTMLElement>(
          `[data-repository="${CSS.escape(focused)}"]`
        )
        ?.focus();
    }
  }

  private _repositories(status: IStatus): HTMLElement[] {
    const trans = this._trans;
    const connection = status.connection!;
    const names = (connection.repositories ?? [])
      .filter(r => r.push)
      .map(r => String(r.full_name));
    const parts: HTMLElement[] = [];
    if (names.length > 0) {
      const list = document.createElement('ul');
      list.append(
        ...names.slice(0, LISTED).map(name => this._repository(status, name))
      );
      parts.push(element('p', trans.__('You can push to:')), list);
      if (names.length > LISTED) {
        parts.push(
          element('p', trans.__('and %1 more', names.length - LISTED))
        );
      }
    } else if (connection.access !== 'unknown') {
      parts.push(element('p', trans.__('You cannot push anywhere yet.')));
    }
    const choose = safeURL(
      (names.length === 0 && connection.fix_url) || connection.installations_url
    );
    if (choose) {
      parts.push(
        link(choose, trans.__('Add or remove repositories at GitHub'))
      );
    }
    return parts;
  }

  private _repository(status: IStatus, name: string): HTMLElement {
    const item = document.createElement('li');
    item.append(element('span', shown(name)));
    const command = cloneCommand(status, name);
    if (command && this._clone) {
      const button = document.createElement('button');
      button.className = 'jp-mod-styled jp-mod-minimal';
      button.textContent = this._trans.__('Clone');
      button.setAttribute(
        'aria-label',
        this._trans.__('Clone %1', shown(name))
      );
      button.setAttribute('data-repository', name);
      button.addEventListener('click', () => this._clone!(command));
      item.append(button);
    }
    return item;
  }
}

function element(tag: string, text: string, className = ''): HTMLElement {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

function link(address: string, text: string): HTMLElement {
  const node = document.createElement('a');
  node.href = address;
  node.target = '_blank';
  node.rel = 'noopener noreferrer';
  node.textContent = text;
  const line = document.createElement('p');
  line.append(node);
  return line;
}
