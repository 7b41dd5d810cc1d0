// SPDX-License-Identifier: LGPL-2.1-or-later
// Validate JSON files against a JSON Schema: node validate.mjs MODULES SCHEMA FILE...
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, schema, ...files] = process.argv.slice(2);
const Ajv = createRequire(pathToFileURL(modules + '/'))('ajv');
const read = (name) => JSON.parse(readFileSync(name, 'utf8'));
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(read(schema));
let bad = 0;
for (const file of files) {
  if (!validate(read(file))) {
    console.error(file, validate.errors);
    bad = 1;
  }
}
process.exit(bad);
