/* Reads the document, with a token if the service wants one, and lets Swagger UI show it. */
"use strict";

/* A page docs/NAME.html shows docs/NAME.json, the others that of the first model. */
const named = location.pathname.match(/\/docs\/([^/]+)\.html$/);
const address = new URL(named ? `./${named[1]}.json` : "./docs.json", location.href).href;
const form = document.getElementById("token");
let token = "";

function show(described) {
  form.hidden = true;
  document.title = `${described.info.title} ${described.info.version}: API reference`;
  document.getElementById("document").href = address;
  const reference = SwaggerUIBundle({
    spec: described,
    url: address, /* to which the server's is relative */
    dom_id: "#reference",
    deepLinking: true,
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    onComplete: () => token && reference.preauthorizeApiKey("bearer", token),
  });
}

async function load() {
  const answered = await fetch(address, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (answered.ok) {
    show(await answered.json());
    return;
  }
  if (answered.status === 401) {
    if (token) document.getElementById("why").textContent = "The service does not know this token.";
    form.hidden = false;
    form.elements[0].focus();
    return;
  }
  const said = await answered.json().catch(() => ({}));
  document.getElementById("reference").textContent = said.error || `The document is not there: ${answered.status}.`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  token = form.elements[0].value.trim();
  load();
});

load();
