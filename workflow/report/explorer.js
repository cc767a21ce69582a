// The term explorer. Whatever a model or a judge wrote gets onto the page as text nodes only.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const AT_A_TIME = 150; // links in the list before it is scrolled
  const plain = (text) => text.normalize("NFKC").toLowerCase();

  function unpack(holder) {
    const text = holder.textContent.trim();
    holder.remove();
    const bytes = Uint8Array.fromBase64
      ? Uint8Array.fromBase64(text)
      : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(fzstd.decompress(bytes)));
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // One term of the data, with what the filters look at.
  function indexed(row, number) {
    const [term, translation, tag, concept, count, speech, reference, answers, others] = row;
    return { number, term, translation, tag, concept, count, speech, reference, answers, others,
      head: plain(`${term}\n${translation}\n${concept}`), whole: null };
  }

  function haystack(entry) {
    if (entry.whole === null) {
      const said = [...entry.answers, ...entry.others].filter(Boolean).map((answer) => answer[0]);
      entry.whole = plain([entry.term, entry.translation, entry.reference ?? "", ...said].join("\n"));
    }
    return entry.whole;
  }

  function scores(answer, judge) {
    const given = judge < 0 ? answer[2] : [answer[2][judge]];
    return given.map((cell) => cell[0]).filter((score) => score !== null);
  }

  function apart(answer) {
    const given = scores(answer, -1);
    return given.length < 2 ? -1 : Math.max(...given) - Math.min(...given);
  }

  // A study without judges, or with one, lacks the filters by scores.
  const value = (id) => $(id)?.value ?? "";
  const number = (id) => (value(id) === "" ? null : Number(value(id)));
  const index = (id) => (value(id) === "" ? -1 : Number(value(id)));

  function wanted() {
    return { text: plain($("f-text").value.trim()), within: $("f-within").checked, model: index("f-model"),
      judge: index("f-judge"), low: number("f-low"), high: number("f-high"), apart: number("f-apart"),
      tag: $("f-tag").value, flag: index("f-flag"), order: value("f-order") };
  }

  // Does an answer pass all that is asked of answers? They are asked of one and the same answer.
  function answerPasses(answer, want, unscored) {
    if (want.flag >= 0 && want.flag !== unscored && !(answer[1] >> want.flag & 1)) return false;
    if (want.flag === unscored) {
      const given = want.judge < 0 ? answer[2] : [answer[2][want.judge]];
      if (!given.some((cell) => cell[0] === null)) return false;
    }
    if (want.apart !== null && apart(answer) < want.apart) return false;
    if (want.low === null && want.high === null) return true;
    return scores(answer, want.judge).some((score) =>
      (want.low === null || score >= want.low) && (want.high === null || score <= want.high));
  }

  function passes(entry, want, unscored) {
    if (want.tag !== "" && entry.tag !== want.tag) return false;
    if (want.text !== "" && !(want.within ? haystack(entry) : entry.head).includes(want.text)) return false;
    if (want.flag < 0 && want.apart === null && want.low === null && want.high === null) return true;
    const answers = want.model < 0 ? entry.answers : [entry.answers[want.model]];
    return answers.some((answer) => answer && answerPasses(answer, want, unscored));
  }

  function sorted(hits, want) {
    const chosen = (entry) => (want.model < 0 ? entry.answers : [entry.answers[want.model]]).filter(Boolean);
    const mean = (entry) => {
      const all = chosen(entry).flatMap((answer) => scores(answer, want.judge));
      return all.length ? all.reduce((a, b) => a + b, 0) / all.length : null;
    };
    const keys = {
      term: null,
      low: (entry) => mean(entry) ?? Infinity,
      high: (entry) => -(mean(entry) ?? -Infinity),
      apart: (entry) => -Math.max(-1, ...chosen(entry).map(apart)),
    };
    const key = keys[want.order];
    if (!key) return hits;
    return hits.map((entry) => [key(entry), entry]).sort((a, b) => a[0] - b[0] || a[1].number - b[1].number)
      .map((pair) => pair[1]);
  }

  function start(data) {
    const entries = data.terms.map(indexed);
    const byName = new Map(entries.map((entry) => [entry.term, entry]));
    const unscored = data.flags.length;
    let hits = entries, shown = 0, current = null;
    const list = $("hits"), page = $("term");

    function link(entry) {
      const made = element("a", { href: `#term=${encodeURIComponent(entry.term)}` }, entry.term,
        element("span", { lang: data.languages.target }, entry.translation || "–"));
      if (entry === current) made.setAttribute("aria-current", "true");
      return made;
    }

    function more() {
      list.append(...hits.slice(shown, shown + AT_A_TIME).map(link));
      shown = Math.min(hits.length, shown + AT_A_TIME);
    }

    function filter() {
      const want = wanted();
      hits = sorted(entries.filter((entry) => passes(entry, want, unscored)), want);
      list.replaceChildren();
      list.scrollTop = shown = 0;
      more();
      $("found").textContent = `${hits.length} of ${entries.length} term${entries.length === 1 ? "" : "s"}`;
      if (!hits.length) page.replaceChildren(element("p", {}, "No term matches these filters."));
      else if (!hits.includes(current) || !page.querySelector("h3")) show(hits[0]);
    }

    function judged(name, cell) {
      const [score, reason, status] = cell;
      return element("p", { className: "reason" },
        element("span", { className: "score" }, score === null ? status.replaceAll("_", " ") : String(score)),
        ` ${name}: `, reason);
    }

    function card(model, answer, language) {
      const parent = data.parents.includes(model) ? " parent" : "";
      const marks = data.flags.filter((_, i) => answer[1] >> i & 1)
        .flatMap((flag) => [" ", element("span", { className: "flag" }, flag.replaceAll("_", " "))]);
      return element("section", { className: `answer${parent}` },
        element("h4", {}, `${model} · ${language}`, ...marks),
        element("p", { lang: language }, answer[0] || "(empty)"),
        ...answer[2].map((cell, i) => judged(data.judges[i], cell)));
    }

    function cards(answers, languages) {
      const made = answers.map((answer, i) => answer && card(data.models[i], answer, languages[i]));
      return element("div", { className: "cards" }, ...made.filter(Boolean));
    }

    function show(entry) {
      current = entry;
      for (const made of list.querySelectorAll("[aria-current]")) made.removeAttribute("aria-current");
      const place = hits.indexOf(entry);
      if (place >= 0 && place < shown) list.children[place].setAttribute("aria-current", "true");
      const expert = entry.answers[data.models.indexOf(data.parents[0])];
      const known = [entry.tag, entry.concept && `concept ${entry.concept}`,
        entry.count !== "" && `${entry.count} time${Number(entry.count) === 1 ? "" : "s"} in the corpus`,
        entry.speech && `part of speech ${entry.speech}`].filter(Boolean).join(" · ");
      const reference = entry.reference ?? (expert ? expert[0] : "");
      const others = entry.others.some(Boolean)
        ? [element("h4", {}, "Definitions in the other language"), cards(entry.others, data.others)] : [];
      page.replaceChildren(
        element("h3", {}, entry.term, " ", element("span", { lang: data.languages.target }, entry.translation)),
        element("p", { className: "soft" }, known),
        element("p", { lang: data.asked[data.models.indexOf(data.parents[0])] },
          element("b", {}, "Reference: "), reference || "(empty)"),
        cards(entry.answers, data.asked), ...others);
    }

    function fromHash() {
      if (location.hash === "" && entries.length) show(entries[0]);
      if (!location.hash.startsWith("#term=")) return false;
      let name;
      try { name = decodeURIComponent(location.hash.slice(6)); } catch { return false; }
      const entry = byName.get(name);
      if (entry) show(entry);
      else page.replaceChildren(element("p", {}, `There is no term “${name}” in this study.`));
      return true;
    }

    let later = 0;
    function address(entry) { // not at every step: browsers count how often a page changes it
      clearTimeout(later);
      later = setTimeout(() => history.replaceState(null, "", `#term=${encodeURIComponent(entry.term)}`), 150);
    }

    function step(event) {
      if (event.isComposing) return; // kanji are being chosen
      const links = [...list.children];
      const at = links.indexOf(document.activeElement);
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      if (next < 0) { $("f-text").focus(); return; }
      if (next >= shown - 1) more();
      const link = list.children[Math.min(next, list.children.length - 1)];
      if (!link) return;
      link.focus();
      const entry = hits[Math.min(next, hits.length - 1)];
      show(entry);
      address(entry);
    }

    list.addEventListener("scroll", () => {
      if (shown < hits.length && list.scrollTop + list.clientHeight > list.scrollHeight - 300) more();
    });
    list.addEventListener("keydown", step);
    $("f-text").addEventListener("keydown", (event) => { if (event.key === "ArrowDown") step(event); });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
        event.preventDefault();
        $("f-text").focus();
      }
    });
    $("filters").addEventListener("input", filter);
    $("filters").addEventListener("reset", () => setTimeout(() => { filter(); $("f-text").focus(); }));
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", () => {
      if (!fromHash()) return;
      const { top, bottom } = page.getBoundingClientRect();
      if (top < 0 || top > innerHeight / 2 || bottom < 0) page.scrollIntoView();
    });

    filter();
    if (fromHash()) $("terms").scrollIntoView();
    // What a search in the definitions looks at, made ready while nobody waits for anything.
    let ready = 0;
    const prepare = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
    prepare(function some() {
      const until = performance.now() + 12;
      while (ready < entries.length && performance.now() < until) haystack(entries[ready++]);
      if (ready < entries.length) prepare(some);
    });
    document.documentElement.dataset.explorer = "ready";
  }

  function begin() {
    try {
      start(unpack($("data")));
    } catch (error) {
      $("found").textContent = `The terms could not be loaded: ${error}`;
      throw error;
    }
  }

  requestAnimationFrame(() => setTimeout(begin)); // after the first paint: the tables do not wait for the terms
})();
