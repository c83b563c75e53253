import type { Dialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Widget } from '@lumino/widgets';

import { CodeBody, ConnectionBody } from './bodies';
import { type Service, ServiceError } from './service';
import {
  duration,
  explain,
  type IFlow,
  minutesLeft,
  safeURL,
  sentence,
  shown,
  stateOf,
  warningDue
} from './status';

/** What of JupyterLab the guide uses; tests bring their own. */
export interface ILab {
  dialog(options: Partial<Dialog.IOptions<Widget>>): Dialog<unknown>;
  copy(text: string): void;
  icon: LabIcon;
  notification: typeof Notification;
}

/** Leads a person through connecting: commands, dialogs, notifications. */
export class Guide {
  static readonly commands = {
    open: 'ghscoped:open',
    connect: 'ghscoped:connect',
    disconnect: 'ghscoped:disconnect'
  };

  constructor(
    private _commands: CommandRegistry,
    private _service: Service,
    private _trans: TranslationBundle,
    private _lab: ILab
  ) {
    _service.changed.connect(this._changed, this);
  }

  addCommands(): void {
    const trans = this._trans;
    this._commands.addCommand(Guide.commands.open, {
      label: trans.__('GitHub'),
      caption: trans.__('Connect GitHub, or show the connection'),
      icon: args => (args.isPalette ? undefined : this._lab.icon),
      execute: () => this.open()
    });
    this._commands.addCommand(Guide.commands.connect, {
      label: () =>
        this._service.status?.connection
          ? trans.__('Connect GitHub Again')
          : trans.__('Connect GitHub'),
      execute: () => this.connect()
    });
    this._commands.addCommand(Guide.commands.disconnect, {
      label: trans.__('Disconnect GitHub'),
      isEnabled: () => !!this._service.status?.connection,
      execute: () => this.disconnect()
    });
    this._service.changed.connect(() => {
      this._commands.notifyCommandChanged(Guide.commands.connect);
      this._commands.notifyCommandChanged(Guide.commands.disconnect);
    });
  }

  /** Show what a click on the status item is for, as things stand. */
  async open(): Promise<void> {
    const status = this._service.status;
    switch (status && stateOf(status, this._service.now())) {
      case 'none':
        return this.connect();
      case 'waiting':
        return this._continue(status!.flow!);
      case 'connected':
      case 'ending':
        return this._showConnection();
      case 'trouble':
        return this._openPage();
    }
  }

  /** Begin to connect, or join what was begun, and show the code. */
  async connect(): Promise<void> {
    const flow = await this._try(() => this._service.connect());
    if (flow) {
      await this._continue(flow);
    }
  }

  async disconnect(): Promise<void> {
    await this._try(() => this._service.disconnect());
  }

  /** Do something at the service; say what is wrong where it fails. */
  private async _try<T>(act: () => Promise<T>): Promise<T | null> {
    try {
      return await act();
    } catch (error) {
      this._lab.notification.error(
        error instanceof ServiceError
          ? explain(error.problem, this._trans)
          : String(error),
        { autoClose: 10_000 }
      );
      return null;
    }
  }

  /** Show the code; where somebody else has it, their page. */
  private async _continue(flow: IFlow): Promise<void> {
    this._shown = flow.id;
    if (!flow.user_code) {
      this._openPage();
      return;
    }
    if (this._code) {
      return;
    }
    const trans = this._trans;
    const uri = safeURL(flow.verification_uri);
    const web = !!flow.web && !!safeURL(this._service.status?.page);
    const buttons = [
      { ...button(trans.__('Cancel'), 'cancel'), accept: false },
      { ...button(trans.__('Later'), 'later'), accept: false },
      { ...button(trans.__('Copy code and open GitHub'), 'go'), accept: !web }
    ];
    if (web) {
      buttons.push(button(trans.__('Continue with GitHub'), 'web'));
    }
    const dialog = this._lab.dialog({
      title: trans.__('Connect GitHub'),
      body: new CodeBody(this._service, flow, trans),
      buttons,
      defaultButton: buttons.length - 1
    });
    this._code = dialog;
    const result = await dialog.launch();
    this._code = null;
    if (result.button.actions.includes('go')) {
      this._lab.copy(flow.user_code);
      if (uri) {
        window.open(uri, '_blank', 'noopener,noreferrer');
      }
    } else if (result.button.actions.includes('web')) {
      this._openPage(); // at once: browsers let a click open a page, and nothing later
      await this._try(() => this._service.cancel());
    } else if (result.button.actions.includes('cancel')) {
      const gitWaited = this._gitWaits;
      await this._try(() => this._service.cancel());
      if (gitWaited) {
        this._gitEnded();
      }
    }
  }

  /** Say why what was clicked in the Git panel ends; its clone keeps git's words to itself. */
  private _gitEnded(): void {
    this._lab.notification.info(
      this._trans.__(
        'Cancelled: git ends without a connection. Connect GitHub, then do it again.'
      ),
      {
        autoClose: 10_000,
        actions: [
          {
            label: this._trans.__('Connect GitHub'),
            callback: () => void this.connect()
          }
        ]
      }
    );
  }

  private async _showConnection(): Promise<void> {
    const trans = this._trans;
    const ending = warningDue(this._service.status!, this._service.now()) > 0;
    const terminals = this._commands.hasCommand('terminal:create-new');
    const dialog = this._lab.dialog({
      title: trans.__('GitHub'),
      body: new ConnectionBody(
        this._service,
        trans,
        terminals
          ? command => {
              dialog.reject();
              void this._inTerminal(command);
            }
          : null
      ),
      buttons: [
        {
          ...button(trans.__('Disconnect'), 'disconnect'),
          displayType: 'warn'
        },
        { ...button(trans.__('Details'), 'page'), accept: false },
        { ...button(trans.__('Connect again'), 'again'), accept: ending },
        { ...button(trans.__('Close'), 'close'), accept: !ending }
      ],
      defaultButton: ending ? 2 : 3
    });
    const { actions } = (await dialog.launch()).button;
    if (actions.includes('disconnect')) {
      await this.disconnect();
    } else if (actions.includes('again')) {
      await this.connect();
    } else if (actions.includes('page')) {
      this._openPage();
    }
  }

  /** Type a command into a new terminal. */
  private async _inTerminal(command: string): Promise<void> {
    const made = (await this._commands.execute('terminal:create-new')) as {
      content: {
        session: { send(message: { type: string; content: string[] }): void };
      };
    };
    made.content.session.send({ type: 'stdin', content: [command + '\r'] });
  }

  private _openPage(): void {
    const page = safeURL(this._service.status?.page);
    if (page) {
      window.open(page, '_blank', 'noopener,noreferrer');
    } else {
      this._lab.notification.info(
        this._trans.__(
          'Open the Hub’s page: File → Hub Control Panel → Services.'
        )
      );
    }
  }

  private _changed(): void {
    const status = this._service.status;
    if (!status || status.absent) {
      return;
    }
    this._follow(status.flow);
    this._warn();
  }

  /** Show a code that a program in this server waits for; say what came of it. */
  private _follow(flow: IFlow | undefined): void {
    const asked = this._service.status?.asked ?? 0;
    if (asked !== (this._asked ?? asked)) {
      this._gitWaits = true;
      this._shown = ''; // a push waits for it: show it also if it was put away
    }
    this._asked = asked;
    if (flow?.state === 'pending') {
      this._waiting = flow.id;
      if (flow.user_code && this._shown !== flow.id) {
        void this._continue(flow);
      }
      return;
    }
    this._code?.reject();
    if (flow && this._waiting === flow.id) {
      this._gitWaits = false;
    }
    if (!flow || this._waiting !== flow.id || flow.state === 'approved') {
      return;
    }
    this._waiting = '';
    const login = this._service.status?.connection?.login;
    if (login && ['connected', 'delivering'].includes(flow.state)) {
      this._lab.notification.success(
        this._trans.__('Connected to GitHub as %1.', shown(login)),
        { autoClose: 5000 }
      );
    } else if (flow.error) {
      this._lab.notification.error(sentence(flow.error), { autoClose: 10_000 });
    }
  }

  /** Warn before the end, once for each of its times. */
  private _warn(): void {
    const status = this._service.status!;
    const now = this._service.now();
    const due = warningDue(status, now);
    const which = due ? `${status.connection!.expires_at} ${due}` : '';
    if (which === this._warned) {
      return;
    }
    this._warned = which;
    if (this._warning) {
      this._lab.notification.dismiss(this._warning);
      this._warning = '';
    }
    if (due && status.flow?.state !== 'pending') {
      const left = duration(minutesLeft(status, now), this._trans);
      this._warning = this._lab.notification.warning(
        this._trans.__('Your GitHub connection ends in %1.', left),
        {
          autoClose: false,
          actions: [
            {
              label: this._trans.__('Connect again'),
              callback: () => void this.connect()
            }
          ]
        }
      );
    }
  }

  /** How often git has asked, as far as is known. */
  private _asked: number | null = null;
  /** A git of the Git panel waits for the code. */
  private _gitWaits = false;
  private _code: Dialog<unknown> | null = null;
  private _shown = '';
  private _waiting = '';
  private _warned = '';
  private _warning = '';
}

function button(label: string, action: string): Dialog.IButton {
  return {
    label,
    ariaLabel: label,
    actions: [action],
    accept: true,
    displayType: 'default',
    caption: '',
    className: '',
    iconClass: '',
    iconLabel: ''
  };
}
