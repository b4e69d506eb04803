// Starts the vendored Swagger UI on our own document, and lets its theme follow the system as the rest of the page does.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const reference = document.getElementById("reference");
SwaggerUIBundle({
  url: reference.dataset.document,
  domNode: reference,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // The default asks a server on the internet.
  validatorUrl: null,
});
