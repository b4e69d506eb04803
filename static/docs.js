// Starts the vendored Swagger UI on our own document, and lets its theme follow the rest of the page.
"use strict";

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const theme = root.dataset.theme;
  root.classList.toggle("dark-mode", theme === "dark" || (theme !== "light" && dark.matches));
};
dark.addEventListener("change", follow);
new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
follow();

// Its own layout has a <main> of its own; inside ours the parts stand by themselves, without its head, which says what
// ours has said since the first paint.
const parts = ({ React }) => ({
  components: {
    ReferenceLayout: ({ getComponent, specSelectors }) => {
      const draw = (name, ...flags) => React.createElement(getComponent(name, ...flags), { key: name });
      const state = specSelectors.loadingStatus();
      if (state === "failed" || state === "failedConfig") return draw("errors", true);
      if (state !== "success") return React.createElement("p", { className: "wait" }, "The reference is being read ...");
      return React.createElement(
        "div",
        { className: "swagger-ui" },
        ["SvgAssets", "operations", "Models"].map((name) => draw(name, name !== "SvgAssets")),
      );
    },
  },
});

const reference = document.getElementById("reference");
SwaggerUIBundle({
  url: reference.dataset.document,
  domNode: reference,
  docExpansion: "list",
  plugins: [parts],
  layout: "ReferenceLayout",
  defaultModelsExpandDepth: 0,
  // The default asks a server on the internet.
  validatorUrl: null,
});

// Its headings stand below ours.
function fit() {
  for (const heading of reference.querySelectorAll("h3:not([aria-level]), h4:not([aria-level])")) heading.setAttribute("aria-level", "2");
}
new MutationObserver(fit).observe(reference, { childList: true, subtree: true });
