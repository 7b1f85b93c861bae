"""A curl command for every operation of the schema, with values that the schema itself gives as examples."""

import json
from shlex import quote
from typing import Any
from urllib.parse import quote as url_quote

Json = dict[str, Any]


def curl(document: Json, path: str, method: str, operation: Json) -> str:
    """One option a line; `$NOTIFIER_URL` and `$NOTIFIER_KEY` are the reader's own."""
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        if parameter["in"] == "path":
            value = str(_sample(document, parameter["schema"], parameter["name"]))
            path = path.replace(f"{{{parameter['name']}}}", url_quote(value, safe=""))
    lines = ["curl --silent" + ("" if method == "get" else f" -X {method.upper()}") + f' "$NOTIFIER_URL{path}"']
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $NOTIFIER_KEY"')
    for parameter in parameters:
        if parameter["in"] == "header":
            lines.append(f"-H {quote(parameter['name'] + ': ' + str(_sample(document, parameter['schema'], 'id')))}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        body = json.dumps(_body(document, content), ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"--data {quote(body)}"]
    return " \\\n  ".join(lines)


def _body(document: Json, content: Json) -> Any:
    for example in content.get("examples", {}).values():
        return example["value"]
    return _sample(document, content["schema"], "")


def _sample(document: Json, schema: Json, name: str) -> Any:
    """An example if there is one, otherwise the smallest value that fits."""
    if "$ref" in schema:
        return _sample(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], name)
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(document, options[0], name)
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            return {
                key: _sample(document, inner, key)
                for key, inner in schema.get("properties", {}).items()
                if key in required
            }
        case "array":
            return [_sample(document, schema["items"], name)] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return name or "text"
