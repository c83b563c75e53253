// git's configuration for the rest of the job: one file beside the workspace, which
// a variable names. So nothing in the workspace has the token, what
// actions/checkout left there loses against it, and without the file all is as before.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ActionError, getState, mask, saveState, setVariable } from "./runner.mjs";

/** configure has git use the token for these repositories, and that name for commits. */
export function configure(token, repositories, author) {
  // Of mode 0700. actions/upload-artifact leaves out what begins with a dot, if not told otherwise.
  const folder = mkdtempSync(join(process.env.RUNNER_TEMP, ".ghscoped-"));
  saveState("folder", folder);
  const file = join(folder, "gitconfig");
  writeFileSync(file, settings(token, repositories, author, folder), { mode: 0o600 });
  include(file);
  if (ask("ghscoped.folder") !== folder) {
    throw new ActionError("git does not read its configuration from variables of the environment.", "Use git 2.31 or newer, or leave the input configure-git out.");
  }
}

function settings(token, repositories, { name, email }, folder) {
  const basic = Buffer.from(`x-access-token:${token}`).toString("base64");
  mask(basic);
  const sections = [`[ghscoped]\n\tfolder = ${quoted(folder)}\n`];
  for (const repository of new Set(repositories)) {
    for (const address of [`${process.env.GITHUB_SERVER_URL}/${repository}`, `${process.env.GITHUB_SERVER_URL}/${repository}.git`]) {
      // The empty one drops those before it. An address with a path counts more than
      // one of the host alone, whoever wrote that, and where.
      sections.push(`[http ${quoted(address)}]\n\textraheader =\n\textraheader = ${quoted(`AUTHORIZATION: basic ${basic}`)}\n`);
    }
  }
  if (name && email) {
    sections.push(`[user]\n\tname = ${quoted(name)}\n\temail = ${quoted(email)}\n`);
  }
  return sections.join("");
}

/** quoted is a text as git reads it from a configuration file. */
function quoted(text) {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** include has git read a file behind all others. */
function include(file) {
  const count = Number.parseInt(process.env.GIT_CONFIG_COUNT ?? "0", 10) || 0;
  setVariable(`GIT_CONFIG_KEY_${count}`, "include.path");
  setVariable(`GIT_CONFIG_VALUE_${count}`, file);
  setVariable("GIT_CONFIG_COUNT", String(count + 1));
}

/** restore takes the file away; git reads over a name of one that is not there. */
export function restore() {
  const folder = getState("folder");
  if (folder !== "") {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** ask reads one of git's settings; empty where there is none. */
function ask(setting) {
  try {
    return execFileSync("git", ["config", "--get", setting], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch (error) {
    if (error.code === "ENOENT") {
      throw new ActionError("There is no git here.", "Install it before this step, or leave the input configure-git out.");
    }
    return "";
  }
}
