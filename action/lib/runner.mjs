// What an action says to the runner and hears from it, as GitHub documents it in
// "Workflow commands for GitHub Actions" and "Metadata syntax".

import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";

/** ActionError is a failure as people read it: what happened, then what to do. */
export class ActionError extends Error {
  constructor(message, hint = "") {
    super(hint === "" ? message : `${message} ${hint}`);
  }
}

export function getInput(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
}

export function getState(name) {
  return process.env[`STATE_${name}`] ?? "";
}

export function saveState(name, value) {
  tell("GITHUB_STATE", name, value);
}

export function setOutput(name, value) {
  tell("GITHUB_OUTPUT", name, value);
}

/** setVariable sets a variable of the environment for the steps that come, and here. */
export function setVariable(name, value) {
  process.env[name] = value;
  tell("GITHUB_ENV", name, value);
}

/** mask has the runner write *** for a value from now on. */
export function mask(value) {
  command("add-mask", value);
}

export function info(text) {
  process.stdout.write(oneLine(text) + "\n");
}

export function warn(text) {
  command("warning", text);
}

/** fail ends the step as failed. What is no ActionError is a mistake of ours. */
export function fail(error) {
  command("error", error instanceof ActionError ? error.message : `This action failed: ${error.name}: ${error.message}`);
  process.exitCode = 1;
}

function command(name, text) {
  process.stdout.write(`::${name}::${escape(text)}\n`);
}

function escape(text) {
  return String(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** oneLine keeps a text from being read as a command, which begins a line. */
function oneLine(text) {
  return text.replace(/[\r\n]+/g, " ").replace(/^\s*::/, " : :");
}

/** tell writes one value into a file of the runner's. Nobody can guess where it ends. */
function tell(file, name, value) {
  const end = `end-${randomUUID()}`;
  appendFileSync(process.env[file], `${name}<<${end}\n${value}\n${end}\n`);
}
