"use strict";
const target = document.getElementById("explorer");
SwaggerUIBundle({
  url: target.dataset.schema,
  domNode: target,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
