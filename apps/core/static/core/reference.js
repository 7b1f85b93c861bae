"use strict";
const target = document.getElementById("reference");
Redoc.init(target.dataset.schema, { hideDownloadButton: false, expandResponses: "200,201,202", scrollYOffset: 44 }, target);
