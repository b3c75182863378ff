"use strict";
// The games of this page: a list with filters, and the one game that is looked at. Texts come from
// models and files: they are only ever set as text, never read as HTML.
(() => {
  const games = JSON.parse(document.getElementById("data").textContent).games;
  if (!games.length) return;

  const byId = (id) => document.getElementById(id);
  const list = byId("list");
  const pane = byId("game");

  /** Make an element with a class; children are elements, or texts that stay texts. */
  function el(tag, style, ...children) {
    const node = document.createElement(tag);
    if (style) node.className = style;
    for (const child of children) if (child !== null && child !== undefined) node.append(child);
    return node;
  }

  /** A text of a model or a data set, which finds its own direction. */
  function text(style, content) {
    const node = el("div", `text ${style}`, content);
    node.dir = "auto";
    return node;
  }

  /** A short value inside a line, isolated from the direction of the line. */
  const value = (content, style) => el("bdi", style || "", content);

  const number = (n, digits = 0) =>
    n.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  function verdict(correct) {
    if (correct === null) return null;
    return el("span", correct ? "good" : "bad", correct ? "✓ right" : "✗ wrong");
  }

  // ---- What is shown: kept in the address, so that it can be passed on ----

  const shows = {
    all: ["all", () => true],
    wrong: ["wrong", (game) => game.correct === false],
    right: ["right", (game) => game.correct === true],
    flipped: ["flipped", (game) => game.flipped !== null],
    failed: ["failed", (game) => game.failed !== null],
    no_json: ["no JSON", (game) => game.no_json],
    leaked: ["strategy cut", (game) => game.leaked],
  };
  const total = (game) => game.tokens.prompt + game.tokens.completion;
  const reward = (game, missing) => (game.reward === null ? missing : game.reward);
  const sorts = {
    played: ["as played", (a, b) => a.number - b.number],
    tokens: ["most tokens first", (a, b) => total(b) - total(a)],
    fewest: ["fewest tokens first", (a, b) => total(a) - total(b)],
    worst: ["lowest reward first", (a, b) => reward(a, Infinity) - reward(b, Infinity)],
    best: ["highest reward first", (a, b) => reward(b, -Infinity) - reward(a, -Infinity)],
  };
  const sources = [...new Set(games.map((game) => game.source))];
  const state = { game: null, show: "all", sort: "played", source: "", find: "" };

  const has = (table, name) => Object.prototype.hasOwnProperty.call(table, name);

  /** Read the address; return true if it names a game or a filter. */
  function readAddress() {
    const parts = location.hash.slice(1).split("&");
    let named = false;
    const found = { game: null, show: "all", sort: "played", source: "", find: "" };
    for (const part of parts) {
      const match = /^game-(\d+)$/.exec(part);
      const [name, ...rest] = part.split("=");
      let said = "";
      try {
        said = decodeURIComponent(rest.join("="));
      } catch {
        continue;
      }
      if (match) found.game = Number(match[1]);
      else if (name === "show" && has(shows, said)) found.show = said;
      else if (name === "sort" && has(sorts, said)) found.sort = said;
      else if (name === "source" && sources.includes(said)) found.source = said;
      else if (name === "find") found.find = said;
      else continue;
      named = true;
    }
    if (named || !location.hash) Object.assign(state, found);
    return named;
  }

  function address(number) {
    const parts = number ? [`game-${number}`] : [];
    if (state.show !== "all") parts.push(`show=${state.show}`);
    if (state.sort !== "played") parts.push(`sort=${state.sort}`);
    if (state.source) parts.push(`source=${encodeURIComponent(state.source)}`);
    if (state.find) parts.push(`find=${encodeURIComponent(state.find)}`);
    return `#${parts.join("&")}`;
  }

  // ---- The list ----

  const searched = new Map();
  function words(game) {
    if (!searched.has(game)) {
      const rounds = game.decisions.flatMap((decision) => decision.rounds);
      const said = [
        game.id, game.kind, game.question, game.gold, game.answer, game.failed,
        ...game.strategies.map((strategy) => strategy.text),
        ...rounds.flatMap((round) => [
          ...round.responses.flatMap((response) => [response.text, response.answer]),
          ...round.commitments.flatMap((made) => [made.reason, made.value, made.text]),
        ]),
      ];
      searched.set(game, said.filter(Boolean).join("\n").toLowerCase());
    }
    return searched.get(game);
  }

  const PORTION = 60;
  let chosen = [];
  let shown = 0;
  const more = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) showMore();
  }, { root: list, rootMargin: "400px" });

  function choose() {
    const wanted = state.find.trim().toLowerCase();
    const keeps = shows[state.show][1];
    chosen = games.filter((game) =>
      keeps(game) && (!state.source || game.source === state.source)
      && (!wanted || words(game).includes(wanted)));
    chosen.sort(sorts[state.sort][1]);
    more.disconnect();
    list.replaceChildren();
    shown = 0;
    const all = `${number(games.length)} game${games.length === 1 ? "" : "s"}`;
    byId("count").textContent = chosen.length === games.length
      ? all : `${number(chosen.length)} of ${all}`;
    if (chosen.length) showMore();
    else list.append(el("p", "empty", "No game is like that."));
    for (const button of byId("shows").children) {
      const active = button.value === state.show;
      button.setAttribute("aria-pressed", String(active));
      button.hidden = button.disabled && !active && !["wrong", "failed"].includes(button.value);
    }
    byId("sort").value = state.sort;
    byId("source").value = state.source;
    if (byId("find").value !== state.find) byId("find").value = state.find;
  }

  function showMore() {
    more.disconnect();
    for (const game of chosen.slice(shown, shown + PORTION)) list.append(row(game));
    shown = Math.min(shown + PORTION, chosen.length);
    if (shown < chosen.length && list.lastElementChild) more.observe(list.lastElementChild);
  }

  function row(game) {
    const line = el("div", "line", el("b", "", `${game.number}`), outcome(game));
    if (game.flipped !== null) line.append(el("span", "chip mark", game.flipped));
    if (game.arm) line.append(el("span", "chip", value(game.arm)));
    if (game.no_json) line.append(el("span", "chip", "no JSON"));
    line.append(el("span", "push dim", `${number(total(game))} tokens`));
    const excerpt = el("div", "excerpt", game.question.slice(0, 200));
    excerpt.dir = "auto";
    const link = el("a", "", line, excerpt);
    link.href = address(game.number);
    link.dataset.game = game.number;
    if (game.number === state.game) link.setAttribute("aria-current", "true");
    return link;
  }

  function outcome(game) {
    if (game.failed !== null) return el("span", "bad", "failed");
    return verdict(game.correct) || el("span", "dim", "not judged");
  }

  // ---- One game ----

  const reasons = {
    bne_rounds: "all rounds are played",
    commitment_repeated: "the commitment repeated",
    no_deviation: "no executor changed its action, so nothing was generated again",
    oscillation: "the commitments went back and forth",
    failed: "a request failed",
  };
  const methods = {
    json: "read as JSON", repaired: "read as JSON after repair", boxed: "read from a box",
    last_number: "read as the last number", none: "no value found",
    copied: "the reply repeated the prompt", consensus: "all members agree, no call",
    majority: "most of those that count agree, no call",
    vote: "a vote in which the coordinator's own answer counts",
  };
  const components = { TS: "task (TS)", AL: "likelihood (AL)", CC: "collaboration (CC)" };
  const said = (table, name) => (has(table, name) ? table[name] : name);

  function facts(pairs) {
    const node = el("dl", "facts");
    for (const [name, content] of pairs)
      if (content !== null) node.append(el("div", "", el("dt", "", name), el("dd", "", content)));
    return node;
  }

  const spent = (tokens) =>
    `${number(tokens.prompt + tokens.completion)} tokens (${number(tokens.prompt)} prompt + `
    + `${number(tokens.completion)} completion`
    + `${tokens.requests === 1 ? "" : `, ${number(tokens.requests)} requests`})`;

  function folded(title, ...children) {
    const summary = el("summary", "", title);
    return el("details", "small", summary, ...children);
  }

  function prompt(messages) {
    if (!messages.length) return null;
    return folded("prompt as sent", ...messages.flatMap((message) =>
      [el("div", "small", value(message.role)), text("", message.content)]));
  }

  function strategy(record) {
    const node = el("div", "strategy",
      el("div", "who", el("b", "", value(record.agent)), " ", value(record.model, "small")));
    if (record.error !== null) node.append(text("bad", record.error));
    else {
      const body = text("", record.text);
      if (record.cut) body.append(el("span", "cut", record.cut));
      node.append(body);
      if (record.leaked)
        node.append(el("span", "chip mark", "it stated an answer and was cut there"));
      else if (record.cut)
        node.append(el("span", "small", "struck through: written, but not given to the executors"));
    }
    node.append(el("div", "small", spent(record.tokens)));
    const asked = prompt(record.messages);
    if (asked) node.append(asked);
    return node;
  }

  const digits = (n) => (n === null ? "–" : number(n, 2));

  function move(name, now, before) {
    const known = before !== undefined && before !== null && now !== null;
    const changed = known && digits(before) !== digits(now);
    return el("span", changed ? "chip mark" : "chip",
      changed ? `${name} ${digits(before)} → ${digits(now)}` : `${name} ${digits(now)}`);
  }

  function answer(now, correct, before) {
    const node = el("div", "answer", value(now === null ? "no answer" : now), " ", verdict(correct));
    if (before !== undefined && before !== now)
      node.append(" ", el("span", "chip mark", "was ", value(before === null ? "none" : before)));
    return node;
  }

  function responseCard(record, before, round) {
    const node = el("div", "card",
      el("div", "who", el("b", "", value(record.agent)), el("span", "small round-name", round),
        move("T", record.temperature, before && before.temperature),
        move("p", record.repetition_penalty, before && before.repetition_penalty)),
      value(record.model, "model"));
    if (record.error !== null) node.append(text("bad", record.error));
    else {
      node.append(answer(record.answer, record.correct, before && before.answer));
      for (const equation of record.false_equations)
        node.append(el("div", "small", "it does not hold that ", value(equation)));
      if (before && before.text === record.text)
        node.append(el("div", "small", "the same text as in the round before"));
      node.append(text("", record.text || "(empty)"));
    }
    node.append(el("div", "small", spent(record.tokens)));
    const asked = prompt(record.messages);
    if (asked) node.append(asked);
    return node;
  }

  function commitmentCard(record, before, round) {
    const node = el("div", "card commitment",
      el("div", "who", el("b", "", "commitment of ", value(record.agent)),
        el("span", "small round-name", round),
        el("span", record.called && !["json", "vote"].includes(record.method) && record.error === null
          ? "chip mark" : "chip", value(said(methods, record.method)))));
    if (record.called) node.append(value(record.model, "model"));
    if (record.error !== null) {
      node.append(text("bad", record.error));
    } else {
      node.append(answer(record.value, record.correct, before && before.value));
      if (record.reason) node.append(text("", record.reason));
      if (record.novel)
        node.append(el("span", "chip mark", "no executor gave its value: the majority replaced it"));
      const checks = [
        record.confidence === null ? "" : `confidence ${digits(record.confidence)}`,
        ...record.checklist,
      ].filter(Boolean).join(" · ");
      if (checks) node.append(el("div", "small", checks));
      if (record.called && record.text !== record.reason)
        node.append(folded("reply as written", text("", record.text)));
    }
    node.append(el("div", "small", record.called ? spent(record.tokens) : "no tokens"));
    const asked = prompt(record.messages);
    if (asked) node.append(asked);
    return node;
  }

  function cuts(records) {
    return records.map((cut) => el("div", "small",
      "prompt of ", value(cut.agent), `: the ${cut.part} cut to fit the model, from `
      + `${number(cut.tokens_before)} to ${number(cut.tokens_after)} tokens`));
  }

  /** Rounds side by side: a row for every executor and commitment, a column for every round. */
  function roundsOf(decision) {
    const rounds = decision.rounds;
    // A response without messages had the prompt of the response before.
    for (const round of rounds) {
      let asked = [];
      for (const response of round.responses) {
        asked = response.messages.length ? response.messages : asked;
        response.messages = asked;
      }
    }
    const node = el("div", "rounds");
    const one = rounds.length === 1;
    const widest = Math.min(3, Math.max(...rounds.map((round) => round.responses.length), 1));
    // 260 px is the least in which a response can be read; further columns scroll.
    node.style.gridTemplateColumns = one
      ? `repeat(auto-fit, minmax(max(240px, ${Math.floor(94 / widest)}%), 1fr))`
      : `repeat(${rounds.length}, minmax(260px, 1fr))`;
    const name = (i) => `round ${i + 1}`;
    if (!one) rounds.forEach((_, i) => node.append(el("div", "column", name(i))));
    const rows = (records, card) => {
      const most = Math.max(...rounds.map((round) => records(round).length), 0);
      for (let i = 0; i < most; i += 1) {
        rounds.forEach((round, k) => {
          const before = k ? records(rounds[k - 1])[i] : undefined;
          const record = records(round)[i];
          node.append(record ? card(record, before, one ? "" : name(k)) : el("div", ""));
        });
      }
    };
    rows((round) => round.responses, responseCard);
    rows((round) => round.commitments, commitmentCard);
    if (one && rounds[0].commitments.length === 1) node.lastElementChild.classList.add("whole");
    return [node, ...rounds.flatMap((round) => cuts(round.shortened))];
  }

  function table(head, rows) {
    const body = el("tbody", "");
    for (const cells of rows)
      body.append(el("tr", "", ...cells.map((cell) => el("td", "", cell))));
    return el("div", "scroll", el("table", "numbers",
      el("thead", "", el("tr", "", ...head.map((cell) => el("th", "", cell)))), body));
  }

  function rewardTable(rewards) {
    const names = [...new Set(rewards.flatMap((each) => Object.keys(each.components)))];
    const head = names.map((name) => (has(components, name) ? components[name] : name));
    return table(["reward", ...head, "sum"], rewards.map((each) => [
      value(each.agent),
      ...names.map((name) => (has(each.components, name) ? number(each.components[name], 2) : "–")),
      number(each.reward, 3),
    ]));
  }

  function tokenTable(game) {
    const sum = (records) => records.reduce((all, record) => ({
      prompt: all.prompt + record.tokens.prompt,
      completion: all.completion + record.tokens.completion,
      requests: all.requests + record.tokens.requests,
    }), { prompt: 0, completion: 0, requests: 0 });
    const rounds = game.decisions.flatMap((decision) => decision.rounds);
    const rows = [
      ["strategy", sum(game.strategies)],
      ["executors", sum(rounds.flatMap((round) => round.responses))],
      ["commitments", sum(rounds.flatMap((round) => round.commitments))],
      ["in all", game.tokens],
    ];
    return table(["tokens", "prompt", "completion", "requests"], rows.map(([name, tokens]) =>
      [name, number(tokens.prompt), number(tokens.completion), number(tokens.requests)]));
  }

  function step(label, game) {
    const node = el("button", "", label);
    node.type = "button";
    node.disabled = !game;
    if (game) node.addEventListener("click", () => { location.hash = address(game.number); });
    return node;
  }

  function gameView(game) {
    const place = chosen.indexOf(game);
    const link = el("a", "", "link");
    link.href = `#game-${game.number}`;
    const head = el("div", "head", el("h3", "", `Game ${game.number}`), outcome(game));
    if (game.flipped !== null) head.append(el("span", "chip mark", `flipped ${game.flipped}`));
    head.append(el("span", "steps", step("← previous", place > 0 ? chosen[place - 1] : null),
      step("next →", place >= 0 ? chosen[place + 1] : chosen[0]), link));
    const last = game.decisions[game.decisions.length - 1];
    const parts = [head, text("question", game.question), facts([
      ["team's answer", game.answer === null ? "none" : value(game.answer, "answer")],
      ["right answer", game.gold ? value(game.gold, "answer") : null],
      ["team reward", game.reward === null ? null : number(game.reward, 3)],
      ["spent", spent(game.tokens)],
      ["ended", last && last.closed_by !== null ? value(said(reasons, last.closed_by)) : null],
    ]), facts([
      ["question", game.id ? value(game.id) : null], ["kind", game.kind ? value(game.kind) : null],
      ["arm of the test", game.arm ? value(game.arm) : null],
      ["file", sources.length > 1 ? value(game.source) : null],
    ])];
    if (game.failed !== null)
      parts.push(el("h3", "bad", "The game was abandoned and has no result"), text("bad", game.failed));
    if (game.strategies.length) {
      parts.push(el("h3", "", "Strategy"));
      const [first, ...others] = game.strategies.map(strategy);
      parts.push(first);
      if (others.length) parts.push(folded(`${others.length} more, of the groups`, ...others));
      parts.push(...cuts(game.shortened));
    }
    game.decisions.forEach((decision, i) => {
      const which = game.decisions.length > 1 ? `Decision ${i + 1}: ` : "";
      const count = decision.rounds.length;
      parts.push(el("h3", "", `${which}${count} round${count === 1 ? "" : "s"}`));
      if (count) parts.push(...roundsOf(decision));
      const closing = decision.closed_by === null ? "" : said(reasons, decision.closed_by);
      if (game.decisions.length > 1 && closing)
        parts.push(el("p", "small", "closed: ", value(closing)));
      const numbers = el("div", "pair");
      if (decision.rewards.length) numbers.append(rewardTable(decision.rewards));
      if (i === game.decisions.length - 1) numbers.append(tokenTable(game));
      parts.push(numbers);
    });
    return parts;
  }

  /** Show the game of the address, or the first of the list. */
  function look(scrolls) {
    const game = games[(state.game || 0) - 1] || chosen[0];
    while (shown < chosen.length && chosen.indexOf(game) >= shown) showMore();
    for (const link of list.querySelectorAll("a")) {
      const current = game && Number(link.dataset.game) === game.number;
      if (current) {
        link.setAttribute("aria-current", "true");
        const below = link.offsetTop + link.offsetHeight - list.clientHeight;
        list.scrollTop = Math.min(link.offsetTop, Math.max(list.scrollTop, below));
      } else link.removeAttribute("aria-current");
      if (link.dataset.game) link.href = address(link.dataset.game);
    }
    if (state.game && !games[state.game - 1])
      pane.replaceChildren(el("p", "empty", `This page has no game ${state.game}.`));
    else pane.replaceChildren(...(game ? gameView(game) : [el("p", "empty", "No game to show.")]));
    if (scrolls) pane.scrollIntoView({ block: "start" });
  }

  // ---- Controls ----

  function refilter() {
    state.game = null;
    history.replaceState(null, "", address(null));
    choose();
    look(false);
  }

  for (const [name, [label, keeps]] of Object.entries(shows)) {
    const count = games.filter(keeps).length;
    const button = el("button", "", `${label} ${number(count)}`);
    button.type = "button";
    button.value = name;
    button.disabled = !count;
    button.addEventListener("click", () => { state.show = name; refilter(); });
    byId("shows").append(button);
  }
  const option = (name, label) => {
    const node = el("option", "", label);
    node.value = name;
    return node;
  };
  for (const [name, [label]] of Object.entries(sorts)) byId("sort").append(option(name, label));
  byId("source").append(option("", "all files"), ...sources.map((name) => option(name, name)));
  byId("source-label").hidden = sources.length < 2;
  byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; refilter(); });
  byId("source").addEventListener("change", (event) => { state.source = event.target.value; refilter(); });
  byId("find").addEventListener("input", (event) => { state.find = event.target.value; refilter(); });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    const before = JSON.stringify({ ...state, game: null });
    if (!readAddress() && location.hash) return;
    if (JSON.stringify({ ...state, game: null }) !== before) choose();
    look(state.game !== null);
  });

  const named = readAddress();
  choose();
  look(named && state.game !== null);
  if (named && state.game === null) byId("games").scrollIntoView({ block: "start" });
})();
