// What the page does in the browser: sends orders to the server, takes pictures in, and guides the marking of joints.
() => {
  const app = (window.dresswell ??= {});
  const $ = (id) => document.getElementById(id);
  const STORE = "dresswell";
  const visit = () => document.querySelector("#visit textarea, #visit input")?.value || "";
  const busy = () => !!document.querySelector("#live .live");
  let attached = false;

  // -- orders ---------------------------------------------------------------------------------------------------
  function send(order) {
    if (!app.send || busy()) return false;
    say("");
    app.send(order);
    return true;
  }
  function say(problem) {
    $("say-problem").textContent = problem;
    $("say-problem").hidden = !problem;
  }
  function submit() {
    const box = $("message");
    const text = box.value.trim();
    if (!text || !send({ do: "say", text, attached })) return;
    box.value = "";
    attached = false;
    fit(box);
  }
  function fit(box) {
    box.style.height = "auto";
    box.style.height = Math.min(box.scrollHeight, 160) + "px";
  }

  const local = {
    panel: () => openPanel(!$("main").classList.contains("panel-open")),
    "pick-picture": () => $("picture-file").click(),
    "pick-talk": () => $("talk-file").click(),
    "open-marks": () => marks.open(),
    mark: () => ($("mine").hidden ? $("picture-file").click() : marks.open()),
    export: download,
  };
  function openPanel(open) {
    $("main").classList.toggle("panel-open", open);
    if (open) window.scrollTo(0, 0);
    const toggle = document.querySelector(".toggle");
    toggle.setAttribute("aria-expanded", open);
    toggle.textContent = open ? "Back to the talk" : "Outfit & you";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const { do: what, item, text } = button.dataset;
    if (local[what]) return local[what]();
    if (what === "end" && !confirm("End this talk and delete all that was kept of it?")) return;
    const sent = send({ do: what, item, what: button.dataset.what, text });
    if (sent && ["no-picture", "end"].includes(what)) showMine("");
    if (sent && ["alternatives", "goes", "wear", "score"].includes(what)) openPanel(false);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "say") return;
    event.preventDefault();
    submit();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "message" && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  document.addEventListener("input", (event) => event.target.id === "message" && fit(event.target));

  document.addEventListener("error", (event) => {
    if (!event.target.matches?.(".frame img")) return; // a piece whose picture is not there is named instead
    const words = Object.assign(document.createElement("span"), { className: "no-picture", textContent: "no picture" });
    event.target.replaceWith(words);
  }, true);

  // -- files ----------------------------------------------------------------------------------------------------
  document.addEventListener("change", async (event) => {
    const file = event.target.files?.[0];
    if (!file) return;
    event.target.value = "";
    if (event.target.id === "picture-file") await upload(file);
    if (event.target.id === "talk-file") {
      if (file.size > 4 * 2 ** 20) return say("This file is too large for a talk: choose one that was downloaded here.");
      send({ do: "restore", text: await file.text() });
    }
  });
  async function upload(file) {
    say("");
    if (file.size > 10 * 2 ** 20) {
      const size = (file.size / 2 ** 20).toFixed(1);
      return say(`The file is too large (${size} MB): choose a picture of at most 10 MB.`);
    }
    let answer;
    try {
      answer = await fetch("picture/mine", { method: "POST", body: file, headers: { "x-visit": visit() } });
    } catch {
      return say("The picture did not arrive: check your connection and try again.");
    }
    if (!answer.ok) return say(await answer.text());
    showMine(URL.createObjectURL(await answer.blob()));
    attached = true;
    marks.open();
  }
  function showMine(url) {
    if ($("mine-picture").src.startsWith("blob:")) URL.revokeObjectURL($("mine-picture").src);
    $("mine").hidden = !url;
    $("mine-text").textContent = "Your picture";
    document.querySelector('[data-do="open-marks"]').textContent = "Mark shoulders and hips";
    if (url) $("mine-picture").src = $("marks-picture").src = url;
    else {
      $("mine-picture").removeAttribute("src");
      $("marks-picture").removeAttribute("src");
      attached = false;
    }
  }
  async function download() {
    const answer = await fetch("talk.json", { headers: { "x-visit": visit() } });
    if (!answer.ok) return say(await answer.text());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = "talk.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // -- marking joints -------------------------------------------------------------------------------------------
  const POINTS = [
    ["right_shoulder", "the shoulder on the left of the picture", true],
    ["left_shoulder", "the shoulder on the right of the picture", true],
    ["right_hip", "the hip on the left of the picture", true],
    ["left_hip", "the hip on the right of the picture", true],
    ["nose", "the tip of your nose", false],
    ["right_elbow", "the elbow on the left of the picture", false],
    ["right_wrist", "the wrist on the left of the picture", false],
    ["left_elbow", "the elbow on the right of the picture", false],
    ["left_wrist", "the wrist on the right of the picture", false],
  ];
  const NEEDED = POINTS.filter(([, , needed]) => needed).length;
  const BONES = [["right_shoulder", "left_shoulder"], ["right_hip", "left_hip"], ["right_shoulder", "right_hip"],
    ["left_shoulder", "left_hip"], ["right_shoulder", "right_elbow"], ["right_elbow", "right_wrist"],
    ["left_shoulder", "left_elbow"], ["left_elbow", "left_wrist"]];
  const marks = {
    at: 0,
    set: {},
    cross: [0.5, 0.3],
    open() {
      if ($("mine").hidden) return;
      this.at = 0;
      this.set = {};
      this.cross = [0.35, 0.25];
      document.activeElement?.blur(); // a box that had the keyboard before takes no keys after the dialog, in Chromium
      $("marks").showModal();
      $("marks-sheet").focus();
      this.draw();
    },
    put(x, y) {
      if (this.at >= POINTS.length) return;
      this.set[POINTS[this.at][0]] = [x, y];
      this.cross = [x, y];
      this.at += 1;
      this.draw();
    },
    draw() {
      const point = POINTS[this.at];
      const left = NEEDED - this.at;
      $("marks-step").textContent = point
        ? `${this.at + 1} of ${POINTS.length}: ${point[1]}${point[2] ? "" : " (skip it if it is hidden)"}`
        : "All set.";
      document.querySelector('[data-mark="done"]').disabled = left > 0;
      document.querySelector('[data-mark="skip"]').disabled = !point || point[2];
      document.querySelector('[data-mark="back"]').disabled = this.at === 0;
      const sheet = $("marks-points");
      sheet.replaceChildren();
      const add = (name, attributes) => {
        const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
        sheet.append(shape);
      };
      const pc = (share) => `${100 * share}%`;
      for (const [a, b] of BONES)
        if (this.set[a] && this.set[b])
          add("line", { x1: pc(this.set[a][0]), y1: pc(this.set[a][1]), x2: pc(this.set[b][0]), y2: pc(this.set[b][1]) });
      for (const [x, y] of Object.values(this.set)) add("circle", { cx: pc(x), cy: pc(y), r: 6 });
      if (point) add("circle", { cx: pc(this.cross[0]), cy: pc(this.cross[1]), r: 10, class: "cross" });
    },
    move(key, far) {
      const step = far ? 0.05 : 0.01;
      const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
      this.cross = [this.cross[0] + dx * step, this.cross[1] + dy * step].map((v) => Math.min(1, Math.max(0, v)));
      this.draw();
    },
    done() {
      const { naturalWidth: width, naturalHeight: height } = $("marks-picture");
      const points = Object.fromEntries(Object.entries(this.set).map(([name, [x, y]]) => [name, [x * width, y * height]]));
      if (!send({ do: "mark", points })) return;
      $("mine-text").textContent = "Your picture, marked";
      document.querySelector('[data-do="open-marks"]').textContent = "Mark again";
      this.close();
    },
    close() {
      $("marks").close();
      requestAnimationFrame(() => $("message").focus());
    },
  };
  document.addEventListener("click", (event) => {
    const what = event.target.closest("[data-mark]")?.dataset.mark;
    if (what === "back") {
      marks.at -= 1;
      delete marks.set[POINTS[marks.at][0]];
      marks.draw();
    }
    if (what === "skip") {
      marks.at += 1;
      marks.draw();
    }
    if (what === "cancel") marks.close();
    if (what === "done") marks.done();
    const sheet = event.target.closest("#marks-sheet");
    if (sheet) {
      const box = $("marks-picture").getBoundingClientRect();
      marks.put((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "marks-sheet") return;
    if (event.key.startsWith("Arrow")) marks.move(event.key, event.shiftKey);
    else if (event.key === "Enter") marks.put(...marks.cross);
    else return;
    event.preventDefault();
  });

  // -- what follows the server's answers --------------------------------------------------------------------------
  let before = "";
  function follow() {
    const id = visit();
    if (id) sessionStorage.setItem(STORE, id);
    const waiting = busy();
    document.querySelector("#say .send")?.toggleAttribute("disabled", waiting);
    const now = `${document.querySelectorAll("#talk .round").length} ${waiting}`;
    if (now === before) return;
    before = now;
    const newest = document.querySelector(waiting ? "#live .live" : "#talk .newest");
    if (newest) requestAnimationFrame(() => newest.scrollIntoView({ behavior: "instant", block: "start" }));
  }
  new MutationObserver(follow).observe(document.body, { childList: true, subtree: true });
}
