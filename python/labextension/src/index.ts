import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  ICommandPalette,
  Notification
} from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Guide } from './guide';
import { githubIcon } from './icon';
import { Service } from './service';
import { StatusItem } from './statusitem';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'ghscoped:plugin',
  description: 'Connects this server to GitHub, and says what stands.',
  autoStart: true,
  optional: [ITranslator, IStatusBar, ICommandPalette, ILauncher],
  activate
};

function activate(
  app: JupyterFrontEnd,
  translator: ITranslator | null,
  statusBar: IStatusBar | null,
  palette: ICommandPalette | null,
  launcher: ILauncher | null
): void {
  // The server's part says so; without it, or without the service, nothing is
  // shown and nothing asked.
  if (PageConfig.getOption('ghscoped') !== 'true') {
    return;
  }
  const texts = translator ?? nullTranslator;
  const trans = texts.load('ghscoped');
  const service = new Service();
  const guide = new Guide(app.commands, service, trans, {
    dialog: options => new Dialog(options),
    icon: githubIcon,
    copy: text => Clipboard.copyToSystem(text),
    notification: Notification
  });
  const item = new StatusItem(service, trans, () => void guide.open());
  if (statusBar) {
    statusBar.registerStatusItem('ghscoped:status', {
      item,
      align: 'left',
      rank: 900
    });
  } else {
    // Notebook 7 has none. There this is at the top right, before the kernel's name.
    item.id = 'ghscoped-status';
    app.shell.add(item, 'top', { rank: 10_005 });
  }

  let offered = false;
  const offer = () => {
    if (offered || !service.status || service.status.absent) {
      return;
    }
    offered = true;
    guide.addCommands();
    const category = 'GitHub';
    for (const command of Object.values(Guide.commands)) {
      palette?.addItem({ command, category });
    }
    launcher?.add({
      command: Guide.commands.open,
      category: texts.load('jupyterlab').__('Other'),
      rank: 99
    });
  };
  service.changed.connect(offer);
  service.start();
}

export default plugin;
