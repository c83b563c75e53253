// The end of the job, also of one that failed: revokes the token through the service or,
// while that is away, at GitHub itself.

import * as git from "./lib/git.mjs";
import { withProxy } from "./lib/proxy.mjs";
import { revoke } from "./lib/revoke.mjs";
import * as runner from "./lib/runner.mjs";
import { revokeToken } from "./lib/service.mjs";

async function post() {
  git.restore();
  const token = runner.getState("token");
  if (token === "") {
    return; // there was none
  }
  runner.mask(token);
  try {
    await revokeToken(runner.getState("service"), token);
  } catch {
    await revoke(token, Number(runner.getState("issued")));
  }
  runner.info("The token is revoked.");
}

if (!withProxy(import.meta.filename)) {
  // The job's own result stands: the token ends by itself within the hour.
  await post().catch((error) => runner.warn(`The token could not be revoked; it expires within an hour of its making. ${error.message}`));
}
