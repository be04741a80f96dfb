// JSON and the metadata of an export, accepted and rejected as in kelly/rtneural/{document,metadata}.py.

// A value in a message; arrays and objects without their content, which may be too deep or too large to write.
function shorten(value) {
  const text = JSON.stringify(value !== null && typeof value === "object" && !isShallow(value) ? (Array.isArray(value) ? [] : {}) : value);
  return text?.length > 60 ? `${text.slice(0, 60)}…` : String(text);
}

function isShallow(value) {
  const values = Object.values(value);
  return values.length < 8 && values.every((item) => item === null || typeof item !== "object");
}

// The text of an export from its bytes.
function decodeText(bytes) {
  if (bytes.byteLength > K.MAX_BYTES) throw new Error(`has ${bytes.byteLength} bytes, expected at most ${K.MAX_BYTES}`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); // JSON.parse rejects a BOM
  } catch {
    throw new Error("is not JSON (its bytes are not UTF-8)");
  }
}

// The value of a JSON text. JSON.parse keeps the last of duplicate keys, and reads 1e400 as infinity.
function parseJson(text) {
  let content;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`is not JSON (${error.message.slice(0, 100)})`);
  }
  checkKeys(text);
  checkNumbers(content);
  return content;
}

// Throws an Error for duplicate keys, lone surrogates and deep nesting in a valid JSON text. An expression for a complete
// string would overflow the stack of the browser on megabytes of escapes.
function checkKeys(text) {
  const open = []; // the keys so far of each object around the position; null for an array
  const colon = /\s*:/y;
  let start = -1; // of the string around the position
  for (const { 0: token, index } of text.matchAll(/\\.|["[\]{}]/g)) {
    if (token !== '"') {
      if (start >= 0) continue;
      if (token === "]" || token === "}") open.pop();
      else if (open.push(token === "{" ? new Set() : null) > K.MAX_DEPTH)
        throw new Error(`is nested more deeply than ${K.MAX_DEPTH} levels`);
      continue;
    }
    if (start < 0) {
      start = index;
      continue;
    }
    const value = JSON.parse(text.slice(start, index + 1));
    start = -1;
    if (/\p{Surrogate}/u.test(value)) throw new Error("is not JSON (a string has half of a surrogate pair)");
    colon.lastIndex = index + 1;
    if (!colon.test(text)) continue;
    if (open.at(-1).has(value)) throw new Error(`duplicate key ${shorten(value)} in an object, expected unique keys`);
    open.at(-1).add(value);
  }
}

function checkNumbers(value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error("is not JSON (a number is infinite as a double)");
  if (Array.isArray(value)) value.forEach(checkNumbers);
  else if (value !== null && typeof value === "object") Object.values(value).forEach(checkNumbers);
}

const TYPES = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  array: (value) => Array.isArray(value),
  object: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
};

// Throws an Error where a value does not follow the JSON schema; of its keywords only those that pydantic writes for
// kelly/rtneural/metadata.py.
function checkSchema(value, schema, path) {
  if (schema.$ref) return checkSchema(value, K.METADATA.$defs[schema.$ref.split("/").at(-1)], path);
  const types = (schema.anyOf ?? [schema]).map(({ type }) => type);
  const { minimum = -Infinity, maximum = Infinity, minItems = 0, maxItems = Infinity } = schema;
  const reject = (expected) => { throw new Error(`${path}: found ${shorten(value)}, expected ${expected}`); };
  if (!types.some((type) => TYPES[type](value))) reject(types.join(" or "));
  if (typeof value === "number" && (value < minimum || value > maximum)) reject(`${minimum} to ${maximum}`);
  if (Array.isArray(value)) {
    if (value.length < minItems || value.length > maxItems) reject(`${minItems} to ${maxItems} items`);
    value.forEach((item, i) => checkSchema(item, schema.items, `${path}.${i}`));
  } else if (schema.type === "object") {
    for (const key of schema.required ?? []) if (!Object.hasOwn(value, key)) reject(`a key ${key}`);
    for (const [key, rule] of Object.entries(schema.properties ?? {}))
      if (Object.hasOwn(value, key)) checkSchema(value[key], rule, `${path}.${key}`);
  }
}
