// The step itself: asks for the token, and has the rest of the job use it.

import * as git from "./lib/git.mjs";
import { readInputs } from "./lib/inputs.mjs";
import { withProxy } from "./lib/proxy.mjs";
import * as runner from "./lib/runner.mjs";
import { requestToken } from "./lib/service.mjs";

async function main() {
  const inputs = readInputs();
  const answer = await requestToken(inputs);
  runner.mask(answer.token); // before anything else is done with it
  runner.saveState("token", answer.token);
  runner.saveState("issued", String(Date.now()));
  runner.saveState("service", inputs.service);

  const { name = "", email = "" } = answer.git ?? {};
  runner.setOutput("token", answer.token);
  runner.setOutput("user-name", name);
  runner.setOutput("user-email", email);
  if (inputs.configureGit) {
    git.configure(answer.token, [...inputs.repositories, ...(answer.repositories ?? [])], { name, email });
  }
  const permissions = Object.entries(inputs.permissions).map(([name, level]) => `${name}: ${level}`);
  runner.info(`A token for ${inputs.repositories.join(", ")} (${permissions.join(", ")}), until the job is over or ${answer.expires_at}.`);
}

if (!withProxy(import.meta.filename)) {
  await main().catch(runner.fail);
}
