// What was said, as a conversation: words as they come, what was cut off, keys and transfers.

const MOST = 200; // entries; the oldest go first
const NAMES = {
  caller: "You",
  agent: "Agent",
  callee: "Other side",
  supervisor: "Supervisor",
};

export class Conversation {
  #list;
  #spoken;
  #said = new Map(); // by item
  #keys = null; // the note that the next key joins
  #tool = ""; // that the agent uses, and was told of

  /**
   * @param {HTMLElement} list is seen, in an element that scrolls
   * @param {HTMLElement} spoken is read out by screen readers: whole sentences alone
   */
  constructor(list, spoken) {
    this.#list = list;
    this.#spoken = spoken;
  }

  clear() {
    this.#list.replaceChildren();
    this.#spoken.replaceChildren();
    this.#said.clear();
    this.#keys = null;
    this.#tool = "";
  }

  take(notice) {
    if (notice.type === "caption") this.#caption(notice);
    else if (notice.type === "key") this.#key(notice.key);
    else if (notice.type === "activity") this.#activity(notice);
  }

  #activity({ agent, detail }) {
    if (agent === "transfer") this.note(`Transfer ${detail && `to ${detail}`}`.trim());
    if (agent === "speaking") return; // it may speak while a tool is at work
    const tool = agent === "tool" ? detail || "a tool" : "";
    if (tool && tool !== this.#tool) this.note(`The agent uses ${tool}`);
    this.#tool = tool;
  }

  /** Adds a remark between what is said. @param {...(string | Node)} parts */
  note(...parts) {
    const note = element("li", "remark");
    note.append(...parts);
    this.#add(note);
    this.#keys = null;
    return note;
  }

  #caption({ who, item_id: item, text, is_final: isFinal, is_cut: isCut }) {
    let entry = this.#said.get(item);
    if (!entry) {
      if (!text) return;
      entry = this.#begin(who, item);
      this.#said.set(item, entry);
      this.#keys = null;
    }
    this.#keepEnd(() => {
      entry.words.textContent = text || "…";
      entry.row.classList.toggle("partial", !isFinal && !isCut);
      entry.cut.hidden = !isCut;
      if (isCut) entry.cut.textContent = cutWords(who, text);
    });
    if ((isFinal || isCut) && !entry.isSpoken && text) this.#speak(entry, who, text, isCut);
  }

  #begin(who, item) {
    const row = element("li", "said");
    Object.assign(row.dataset, { who, item });
    const name = element("span", "who", NAMES[who] ?? who);
    const words = element("p", "words");
    const cut = element("span", "cut");
    cut.hidden = true;
    row.append(name, words, cut);
    this.#add(row);
    return { row, words, cut, isSpoken: false };
  }

  #speak(entry, who, text, isCut) {
    entry.isSpoken = true;
    if (this.#spoken.childElementCount >= 20) this.#spoken.firstElementChild.remove();
    const name = NAMES[who] ?? who;
    this.#spoken.append(element("p", "", `${name}: ${text}${isCut ? " (interrupted)" : ""}`));
  }

  #key(key) {
    if (!this.#keys) this.#keys = this.note("You pressed ");
    this.#keepEnd(() => this.#keys.append(element("kbd", "", key)));
  }

  #add(row) {
    this.#keepEnd(() => {
      this.#list.append(row);
      if (this.#list.childElementCount <= MOST) return;
      this.#said.delete(this.#list.firstElementChild.dataset.item);
      this.#list.firstElementChild.remove();
    });
  }

  /** Changes the list; whoever reads its end goes on to read its end. */
  #keepEnd(change) {
    const paper = this.#list.parentElement;
    const isAtEnd = paper.scrollHeight - paper.scrollTop - paper.clientHeight < 48;
    change();
    if (isAtEnd) paper.scrollTop = paper.scrollHeight;
  }
}

function cutWords(who, heard) {
  if (!heard) return "not heard";
  return who === "agent" ? "interrupted" : "cut off";
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
