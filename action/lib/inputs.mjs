import { ActionError, getInput } from "./runner.mjs";

/** readInputs reads what the workflow asks for. What is wrong with a name the service knows better. */
export function readInputs() {
  return {
    service: serviceAddress(getInput("hub")),
    repositories: words(getInput("repositories")),
    permissions: permissions(getInput("permissions")),
    configureGit: flag("configure-git"),
  };
}

/** serviceAddress is the service's address without a slash at its end, which is also the audience. */
function serviceAddress(text) {
  const example = "It is the service's, such as https://hub.example.org/services/connect-github.";
  const address = URL.canParse(text) ? new URL(text) : undefined;
  if (address === undefined || address.pathname === "/") {
    throw new ActionError("The input hub is not the address of the service.", example);
  }
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(address.hostname);
  if (address.protocol !== "https:" && !(address.protocol === "http:" && loopback)) {
    throw new ActionError("The input hub does not begin with https://, and the job's identity is sent by nothing else.", example);
  }
  if (address.username !== "" || address.password !== "" || address.search !== "" || address.hash !== "") {
    throw new ActionError("The input hub is more than an address.", example);
  }
  return address.href.replace(/\/+$/, "");
}

function words(text) {
  const found = text.split(/[\s,]+/).filter((word) => word !== "");
  if (found.length === 0) {
    throw new ActionError("The input repositories names none.", "Name each as OWNER/NAME, or leave the input out for the workflow's own.");
  }
  return found;
}

function permissions(text) {
  const found = {};
  for (const line of text.split("\n").map((line) => line.trim()).filter((line) => line !== "")) {
    const [, written, level] = /^([\w-]+)\s*:\s*([\w-]+)$/.exec(line) ?? [];
    const name = written?.replaceAll("-", "_"); // workflows write pull-requests, Apps pull_requests
    if (name === undefined || Object.hasOwn(found, name)) {
      throw new ActionError("The input permissions has a line that is no NAME: LEVEL, or a second one for that name.", "As in “contents: write”, one a line.");
    }
    found[name] = level;
  }
  if (Object.keys(found).length === 0) {
    throw new ActionError("The input permissions is empty.", "As in “contents: write”, one a line.");
  }
  return found;
}

function flag(name) {
  switch (getInput(name)) {
    case "true":
      return true;
    case "false":
    case "":
      return false;
  }
  throw new ActionError(`The input ${name} is neither true nor false.`);
}
