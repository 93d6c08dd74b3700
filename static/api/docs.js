// Shows the OpenAPI document. A file of its own, for our pages run no inline script.
const docs = document.getElementById("docs");
SwaggerUIBundle({ url: docs.dataset.document, domNode: docs, deepLinking: true });
