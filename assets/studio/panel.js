// A panel of the page: a click on a button with data-do reaches Python with its data, and a
// rendering anew keeps the keyboard's place, open parts and the end of the log in sight.
// data-opens names the form that the button opens: it is brought into view, ready to type in.
let focused = null;
const opened = new Set();
const keyOf = (node) => [node.dataset.do, node.dataset.job, node.dataset.file].join("/");

const present = (id, looks) => {
  const form = document.getElementById(id);
  const fields = form?.querySelectorAll("textarea, input, [contenteditable=true]") ?? [];
  const field = [...fields].find((one) => one.checkVisibility());
  if (!field) return looks && setTimeout(present, 100, id, looks - 1);
  form.scrollIntoView();
  field.focus({ preventScroll: true });
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button || (button.dataset.confirm && !window.confirm(button.dataset.confirm))) return;
  trigger("click", { ...button.dataset });
  if (button.dataset.opens) present(button.dataset.opens, 50);
});
element.addEventListener("focusin", (event) => {
  const button = event.target.closest("[data-do]");
  focused = button && keyOf(button);
});
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget) focused = null;
});
element.addEventListener("toggle", ({ target }) => {
  if (target.isConnected) opened[target.open ? "add" : "delete"](target.dataset.part);
}, true);

const restore = () => {
  element.querySelectorAll("details[data-part]").forEach((part) => {
    if (opened.has(part.dataset.part)) part.open = true;
  });
  element.querySelectorAll("pre.log").forEach((log) => { log.scrollTop = log.scrollHeight; });
  if (focused && document.activeElement === document.body) {
    const same = [...element.querySelectorAll("[data-do]")].find((node) => keyOf(node) === focused);
    same?.focus({ preventScroll: true });
  }
};
new MutationObserver(restore).observe(element, { childList: true, subtree: true });
