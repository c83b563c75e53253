// The end of the job, also of one that failed: revokes the token at GitHub itself,
// which works while the service is away, too.

import * as git from "./lib/git.mjs";
import { withProxy } from "./lib/proxy.mjs";
import { revoke } from "./lib/revoke.mjs";
import * as runner from "./lib/runner.mjs";

async function post() {
  git.restore();
  const token = runner.getState("token");
  if (token === "") {
    return; // there was none
  }
  runner.mask(token);
  await revoke(token, Number(runner.getState("issued")));
  runner.info("The token is revoked.");
}

if (!withProxy(import.meta.filename)) {
  // The job's own result stands: the token ends by itself within the hour.
  await post().catch((error) => runner.warn(`The token could not be revoked; it expires within an hour of its making. ${error.message}`));
}
