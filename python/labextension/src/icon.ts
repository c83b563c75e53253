import { LabIcon } from '@jupyterlab/ui-components';

/** A branch that is joined: it stands for pushing, and is nobody's trademark. */
export const githubIcon = new LabIcon({
  name: 'ghscoped:connect',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="2">' +
    '<circle cx="6" cy="5" r="2.5"/><circle cx="6" cy="19" r="2.5"/><circle cx="18" cy="8" r="2.5"/>' +
    '<path d="M6 7.5v9M18 10.5c0 4-6 3-10.5 6.5"/></g></svg>'
});
