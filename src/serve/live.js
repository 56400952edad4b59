"use strict";
// The live page: incidents as they come, answers, keys. Text from the network is only ever set as text.
(() => {
const GIVEN = { close: "closed", learn: "learned", mute: "muted" };
const STEP = 100, MOST = 10000, STATUS_MS = 5000, PARTS_MS = 30000;
const $ = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
const token = meta("auscult-token"), canAnswer = meta("auscult-answers") === "yes";
const rows = new Map();      // by identifier
const items = new Map();     // their elements
let order = [], shown = [], limit = STEP, version = 0, source = null;
let fresh = new Set(), held = new Set(), openId = null, scheduled = false, isLoaded = false, isLearning = false;

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const moment = (text) => text ? `${text.slice(0, 10)} ${text.slice(11, 19)}` : "";
const grouped = (count) => Number(count).toLocaleString("en");
const severity = (row) => ["", "high", "medium", "low"][row.severity] ?? "low";
const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

async function get(path) {
  const reply = await fetch(path, { headers: { Accept: "application/json" } });
  if (reply.status === 401) { location.assign("/login"); throw new Error("a token is needed"); }
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error?.message ?? reply.statusText);
  return value;
}

// ---- the list

function who(row) {
  const host = row.name ? `${row.host} ${row.name}` : row.host;
  if (!row.peer) return host;
  const peer = row.peer_name ? `${row.peer} ${row.peer_name}` : row.peer;
  return `${host} with ${peer}${row.peers > 1 ? ` and ${plural(row.peers - 1, "other")}` : ""}`;
}

function put(row) {
  const before = rows.get(row.id);
  if (before && before.version >= row.version) return;
  row.words = [row.id, row.title, row.class, who(row), row.reason].join(" ").toLowerCase();
  rows.set(row.id, row);
  version = Math.max(version, row.version);
  if (before) { if (items.has(row.id)) fill(items.get(row.id), row); } else {
    order.push(row.id);
    if (isLoaded) { fresh.add(row.id); if (isReading()) held.add(row.id); }
  }
  if (row.id === openId && isLoaded) refreshDetail();
  schedule();
}

// As the program keeps them: the oldest that is closed goes first.
function trim() {
  while (order.length > MOST) {
    let place = order.length - 1;
    while (place > 0 && rows.get(order[place]).state !== "closed") place -= 1;
    if (place === 0) place = order.length - 1;
    const [id] = order.splice(place, 1);
    rows.delete(id); held.delete(id); fresh.delete(id);
    items.get(id)?.remove(); items.delete(id);
  }
}

// Somebody who reads is not moved: what is new waits behind a button.
function isReading() {
  const list = $("list");
  return list.scrollTop > 4 || list.contains(document.activeElement) || $("detail").open;
}

function make(row) {
  const item = element("div", "row");
  item.setAttribute("role", "listitem");
  item.dataset.id = row.id;
  const button = element("button", "open");
  button.type = "button";
  for (const name of ["r-what", "r-tags", "r-who", "r-why", "r-when", "r-bits"]) button.append(element("span", name));
  item.append(button);
  fill(item, row);
  return item;
}

function fill(item, row) {
  item.className = `row sev${row.severity}${row.answer ? " answered" : ""}`;
  const [what, tags, whom, why, when, bits] = item.firstChild.children;
  what.textContent = row.title;
  const words = [[`sev${row.severity}`, severity(row)]];
  if (row.state !== "closed") words.push(["", "open"]);
  if (row.hidden) words.push(["", "hidden"]);
  if (row.earlier_run) words.push(["", "earlier run"]);
  if (row.answer) words.push(["", `${GIVEN[row.answer.answer] ?? row.answer.answer} by ${row.answer.by}`]);
  tags.replaceChildren(...words.map(([kind, text]) => element("span", `tag ${kind}`, text)));
  whom.textContent = who(row);
  why.textContent = row.reason;
  when.textContent = moment(row.first);
  bits.textContent = `${row.bits.toFixed(1)} bits`;
}

function wanted() {
  const words = $("f-text").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const state = $("f-state").value, level = $("f-severity").value, kind = $("f-class").value;
  const ofState = {
    told: (row) => !row.hidden, open: (row) => !row.hidden && row.state !== "closed",
    closed: (row) => !row.hidden && row.state === "closed", waiting: (row) => !row.hidden && !row.answer,
    hidden: (row) => row.hidden,
  }[state];
  return (row) => ofState(row) && (!level || String(row.severity) === level) && (!kind || row.class === kind)
    && words.every((word) => row.words.includes(word));
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; draw(); });
}

function draw() {
  order.sort((a, b) => rows.get(b).number - rows.get(a).number);
  trim();
  const wants = wanted();
  const all = order.filter((id) => wants(rows.get(id)));
  shown = all.filter((id) => !held.has(id));
  const keep = shown.slice(0, limit), kept = new Set(keep);
  for (const [id, item] of items) if (!kept.has(id)) { item.remove(); items.delete(id); }
  for (let at = 0; at < keep.length; at += STEP) {
    const part = chunk(at);
    let next = part.firstChild;
    keep.slice(at, at + STEP).forEach((id, place) => {
      let item = items.get(id);
      if (!item) { item = make(rows.get(id)); items.set(id, item); }
      if (item === next) next = next.nextSibling; else part.insertBefore(item, next);
      setPlace(item, at + place + 1);
    });
  }
  while ($("list").children.length > Math.ceil(keep.length / STEP)) $("list").lastChild.remove();
  const waiting = all.length - shown.length;
  $("newer").hidden = waiting === 0;
  $("newer").textContent = `Show ${plural(waiting, "new incident")}`;
  offerMore();
  const count = order.length === 0 ? (!isLoaded ? "Loading." : isLearning ? "Nothing is judged yet." : "Nothing was unusual enough to be told.")
    : `${grouped(shown.length)} of ${plural(order.length, "incident")}`;
  if ($("count").textContent !== count) $("count").textContent = count;
  announce();
}

let announced = 0;
function announce() {
  if (fresh.size === 0 || performance.now() - announced < 1500) { if (fresh.size) setTimeout(schedule, 1600); return; }
  announced = performance.now();
  const [id] = fresh, row = rows.get(id);
  $("live").textContent = fresh.size === 1 && row ? `New incident: ${row.title}, ${row.host}, severity ${severity(row)}`
    : plural(fresh.size, "new incident");
  fresh.clear();
}

function release() {
  held.clear();
  $("list").scrollTop = 0;
  draw();
  $("list").querySelector(".open")?.focus();
}

// Only what changes is written: the list may be long.
function setPlace(item, place) {
  for (const [name, value] of [["aria-posinset", `${place}`], ["aria-setsize", `${shown.length}`]]) {
    if (item.getAttribute(name) !== value) item.setAttribute(name, value);
  }
}

function offerMore() {
  $("more").hidden = shown.length <= limit;
  $("more").textContent = `Show more (${grouped(Math.max(0, shown.length - limit))} left)`;
}

// Rows stand in parts of a hundred: a part that is out of sight costs nothing.
function chunk(at) {
  const list = $("list");
  while (list.children.length <= at / STEP) list.append(element("div", "chunk"));
  return list.children[at / STEP];
}

function more() {
  const part = chunk(limit);
  shown.slice(limit, limit + STEP).forEach((id, place) => {
    const item = make(rows.get(id));
    items.set(id, item);
    setPlace(item, limit + place + 1);
    part.append(item);
  });
  limit += STEP;
  offerMore();
}

function move(by) {
  const at = shown.indexOf(document.activeElement.closest?.(".row")?.dataset.id ?? openId);
  const to = Math.max(0, Math.min(shown.length - 1, at < 0 ? 0 : at + by));
  while (to >= limit) more();
  const button = items.get(shown[to])?.firstChild;
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: "nearest" });
}

// ---- one incident

let detailTurn = 0;
async function open(id) {
  openId = id;
  $("answer")?.reset();
  choose();
  if ($("answer-said")) $("answer-said").textContent = "";
  $("article").replaceChildren(element("p", "muted", "Loading."));
  $("story").replaceChildren();
  if (!$("detail").open) $("detail").showModal();
  $("detail").scrollTop = 0;
  $("detail-heading").focus();
  await refreshDetail();
}

async function refreshDetail() {
  const turn = ++detailTurn, id = openId;
  try {
    const [article, all] = await Promise.all([fetch(`/incident/${id}`), get(`/api/v1/incidents/${id}`)]);
    const html = await article.text();
    if (turn !== detailTurn || id !== openId) return;
    if (!article.ok) throw new Error("it is not kept any more");
    // Written by the program, with all that came from the network escaped.
    $("article").innerHTML = html;
    $("article").querySelector("article")?.removeAttribute("id");
    $("detail-heading").textContent = who({ ...all.incident, peer: null });
    $("story").replaceChildren(...about(all));
  } catch (error) {
    if (turn === detailTurn) $("article").replaceChildren(element("p", "warning", `It cannot be shown: ${error.message}`));
  }
}

function about(all) {
  const parts = [];
  if (all.answers.length) {
    parts.push(element("h3", "", "Answers to it"), listOf(all.answers.map(answerText)));
  }
  const lines = all.lines.map((line) => `${moment(line.raised)}: ${line.state}, ${line.bits.toFixed(1)} bits, ${plural(line.flows, "flow")}${line.hidden ? ", hidden" : ""}`);
  parts.push(element("h3", "", "How it went"), listOf(lines));
  if (all.story.length) {
    const list = element("ol", "story");
    for (const row of all.story.slice().reverse()) {
      const item = element("li", "", `${moment(row.first)}: `), link = element("a", "", `${row.title}, ${row.host}`);
      link.href = `#i-${row.id}`;
      item.append(link);
      list.append(item);
    }
    parts.push(element("h3", "", "What belongs to it"), list);
  }
  return parts;
}

function listOf(texts) {
  const list = element("ol");
  list.append(...texts.map((text) => element("li", "", text)));
  return list;
}

// ---- answers

const answerText = (answer) => `${moment(answer.time)}, answer ${answer.number}: ${answer.answer} by ${answer.by}`
  + (answer.reason ? `: “${answer.reason}”` : "") + (answer.hides ? ` (hides ${answer.hides})` : "")
  + (answer.taken_back_by !== null ? `; taken back by answer ${answer.taken_back_by}` : "");

async function post(ask) {
  const reply = await fetch("/api/v1/answers", {
    method: "POST", body: JSON.stringify(ask), headers: { "Content-Type": "application/json", "X-Auscult-Token": token },
  });
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error?.message ?? reply.statusText);
  return value;
}

function choose() {
  const chosen = document.querySelector('input[name="answer"]:checked')?.value;
  for (const part of document.querySelectorAll(".choices")) part.hidden = part.dataset.for !== chosen;
}

async function giveAnswer(event) {
  event.preventDefault();
  const said = $("answer-said"), button = $("answer").querySelector('button[type="submit"]');
  const ask = { answer: document.querySelector('input[name="answer"]:checked').value, incident: openId, reason: $("reason").value };
  if (ask.answer === "learn") Object.assign(ask, { any_peer: $("any-peer").checked, any_service: $("any-service").checked });
  if (ask.answer === "mute") Object.assign(ask, { for: $("mute-for").value, same_peers: $("same-peers").checked });
  button.disabled = true;
  try {
    const given = await post(ask);
    said.textContent = `Answer ${given.number} is written${given.hides ? `: it hides ${given.hides}` : ""}.`;
    $("reason").value = "";
    await Promise.all([refreshDetail(), loadAnswers()]);
  } catch (error) {
    said.textContent = `Not written: ${error.message}`;
  }
  button.disabled = false;
}

async function loadAnswers() {
  if (!canAnswer) return;
  const all = await get("/api/v1/answers"), list = $("answer-list");
  if (list.contains(document.activeElement)) return;
  list.replaceChildren(...all.answers.slice(0, 200).map(answerItem));
  if (all.count === 0) list.append(element("li", "muted", "No answer was given yet."));
}

function answerItem(answer) {
  const item = element("li", "", answerText(answer));
  const back = { learn: "unlearn", mute: "unmute" }[answer.answer];
  if (!back || answer.taken_back_by !== null) return item;
  const details = element("details"), form = element("form", "answer"), label = element("label", "reason", "Why ");
  const reason = element("input"), said = element("span"), button = element("button", "", "Take back");
  reason.required = true; reason.maxLength = 500; reason.autocomplete = "off";
  said.setAttribute("role", "status");
  label.append(reason);
  form.append(label, button, " ", said);
  details.append(element("summary", "", "Take it back"), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post({ answer: back, number: answer.number, reason: reason.value });
      button.blur(); reason.blur();
      await loadAnswers();
    } catch (error) { said.textContent = `Not written: ${error.message}`; }
  });
  item.append(details);
  return item;
}

// ---- the rest of the page

function figure(name, value, note) {
  const box = element("div");
  box.append(element("dt", "", name), element("dd", "", value));
  if (note) box.append(element("dd", "note", note));
  return box;
}

async function loadStatus() {
  if (document.hidden) return;
  const now = await get("/api/v1/status"), { high, medium, low } = now.incidents.open, account = now.capture;
  const state = now.illness ?? (now.is_over ? "Reading has come to its end; the page stays." : now.state === "learning"
    ? "Still learning: nothing is judged yet." : `Judging${now.interface ? ` what ${now.interface} hears` : ""}.`);
  $("state-text").textContent = state;
  if (isLearning !== (now.state === "learning")) { isLearning = !isLearning; schedule(); }
  $("state-text").className = now.illness ? "bad" : "";
  const lost = account.dropped / Math.max(1, account.frames + account.dropped);
  $("figures").replaceChildren(
    figure("Open incidents", grouped(high + medium + low), `${high} high, ${medium} medium, ${low} low`),
    figure("Incidents kept", grouped(now.incidents.kept), keptNote(now.incidents)),
    figure("Packets", grouped(account.packets), now.capture_time ? `until ${moment(now.capture_time)}` : "none yet"),
    figure("Lost before it was read", `${(100 * lost).toFixed(lost > 0 && lost < 0.001 ? 3 : 1)} %`, plural(account.dropped, "frame")),
    targets(now.sinks));
}

function keptNote({ gone, from_earlier_runs: earlier }) {
  const notes = [];
  if (earlier) notes.push(`${grouped(earlier)} of earlier runs`);
  if (gone) notes.push(`${grouped(gone)} older ones went`);
  return notes.join(", ") || "since the start";
}

function targets(sinks) {
  const sum = (name) => sinks.reduce((total, sink) => total + Number(sink[name]), 0);
  const away = sum("away"), lost = sum("dropped") + sum("refused");
  const note = [`${plural(sum("sent"), "line")} taken`];
  if (sum("waiting")) note.push(`${grouped(sum("waiting"))} wait`);
  if (lost) note.push(`${grouped(lost)} lost`);
  return figure("Alert targets", away ? `${away} of ${sinks.length} away` : "well", note.join(", "));
}

let lastParts = "";
async function loadParts() {
  const parts = $("parts"), selection = getSelection();
  if (document.hidden || parts.contains(document.activeElement) || (!selection.isCollapsed && parts.contains(selection.anchorNode))) return;
  const reply = await fetch("/parts");
  if (!reply.ok) return;
  const html = await reply.text();
  if (html === lastParts) return;
  lastParts = html;
  const name = (details) => `${details.closest("section")?.id}/${details.firstElementChild?.textContent}`;
  const unfolded = new Set([...parts.querySelectorAll("details[open]")].map(name));
  // Written by the program, with all that came from the network escaped.
  parts.innerHTML = html;
  for (const details of parts.querySelectorAll("details")) if (unfolded.has(name(details))) details.open = true;
  const links = [...document.querySelectorAll("main section.part[id]")].map((section) => {
    const item = element("li"), link = element("a", "", section.querySelector("h2").textContent);
    link.href = `#${section.id}`;
    item.append(link);
    return item;
  });
  $("contents").replaceChildren(...links);
}

function listen() {
  source = new EventSource(`/api/v1/events?after=${version}`);
  let failed = false;
  source.addEventListener("incident", (event) => put(JSON.parse(event.data)));
  source.addEventListener("open", async () => {
    $("connection").textContent = "live";
    $("connection").className = "tag on";
    // Another run knows nothing of what is shown here.
    if (failed && (await get("/api/v1/session")).form_token !== token) location.reload();
    failed = false;
  });
  source.addEventListener("error", () => {
    failed = true;
    $("connection").textContent = "not connected";
    $("connection").className = "tag off";
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
}

async function load() {
  let before = "", size = 200;
  for (;;) {
    const page = await get(`/api/v1/incidents?limit=${size}${before}`);
    if (!before) { listenAfter = page.version; }
    page.incidents.forEach(put);
    if (page.next_before === null) break;
    [before, size] = [`&before=${page.next_before}`, 2000];
  }
  isLoaded = true;
  version = listenAfter;
  draw();
  listen();
}
let listenAfter = 0;

function key(event) {
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape" && typing && !$("detail").open) { event.target.blur(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("detail").open || $("keys").open) return;
  const does = {
    j: () => move(1), k: () => move(-1), n: release, g: () => { move(-shown.length); },
    "/": () => $("f-text").focus(), "?": () => $("keys").showModal(),
  }[event.key];
  if (does) { event.preventDefault(); does(); }
}

function followHash() {
  const id = /^#i-([0-9a-f]{16})$/.exec(location.hash)?.[1];
  if (id) open(id);
}

$("list").addEventListener("click", (event) => {
  const id = event.target.closest(".row")?.dataset.id;
  if (id) { history.replaceState(null, "", `#i-${id}`); open(id); }
});
$("list").addEventListener("scroll", () => {
  const list = $("list");
  if (shown.length > limit && list.scrollTop + 2 * list.clientHeight > list.scrollHeight) more();
}, { passive: true });
$("detail").addEventListener("close", () => {
  openId = null;
  if (location.hash.startsWith("#i-")) history.replaceState(null, "", location.pathname);
});
$("detail-close").addEventListener("click", () => $("detail").close());
$("newer").addEventListener("click", release);
$("more").addEventListener("click", more);
$("show-keys").addEventListener("click", () => $("keys").showModal());
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("input", () => { limit = STEP; $("list").scrollTop = 0; schedule(); });
$("answer")?.addEventListener("submit", giveAnswer);
$("answer")?.addEventListener("change", choose);
document.addEventListener("keydown", key);
addEventListener("hashchange", followHash);

const again = (work, every) => {
  const turn = () => work().catch(() => {}).finally(() => setTimeout(turn, every));
  turn();
};
choose();
load().then(followHash, (error) => { $("count").textContent = `The incidents cannot be loaded: ${error.message}`; });
again(loadStatus, STATUS_MS);
again(loadParts, PARTS_MS);
again(loadAnswers, PARTS_MS);
})();
