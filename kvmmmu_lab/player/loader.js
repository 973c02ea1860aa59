// SPDX-License-Identifier: GPL-2.0-only
//
// Runs in each saved output with a film: unpacks the player, once for all outputs of a page, and mounts the film. Each output
// carries the player, so that it also plays alone, in whatever notebook it is copied to.

const PLAYER = { name: "$name", text: "$player" };
const FILM = "$film";

/** Return the text that page.py has packed: deflated, in base64. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

/** Add the player to the page. As an inline script, it works wherever this one does; an import of a blob may be forbidden. */
async function load() {
  const { script, style } = JSON.parse(await unpack(PLAYER.text));
  const add = (tag, textContent, attributes = {}) =>
    document.head.append(Object.assign(document.createElement(tag), attributes, { textContent }));
  add("style", style);
  return new Promise((ready) => {
    players[PLAYER.name].ready = ready;
    add("script", `$${script}\nglobalThis.kvmmmuPlayers["$name"].ready(mount);`, { type: "module" });
  });
}

const players = (globalThis.kvmmmuPlayers ??= {});
players[PLAYER.name] ??= {};
const mount = await (players[PLAYER.name].mount ??= load());
const find = (name) => document.querySelectorAll(`.$${name}[data-film="$${FILM}"]`);
const { film, options } = JSON.parse(await unpack(JSON.parse(find("$data")[0].textContent).packed));
// A notebook may show one output twice; this script then runs twice
for (const place of find("$place")) if (!place.querySelector(".kvmmmu-player")) mount(place, film, options);
