// SPDX-License-Identifier: LGPL-2.1-or-later
// Write the names of the commands of each PowerShell script, as
// tree-sitter-powershell finds them, to SCRIPT.parsed; fail on a syntax error.
//
//   node list-commands.mjs MODULES SCRIPT...
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, ...scripts] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + '/'));
const { Language, Parser } = require('web-tree-sitter');
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(
  modules + '/node_modules/tree-sitter-powershell/tree-sitter-powershell.wasm'));
let bad = 0;

for (const script of scripts) {
  const tree = parser.parse(readFileSync(script, 'utf8').replace(/^\uFEFF/, ''));
  if (tree.rootNode.hasError) {
    const wrong = tree.rootNode.descendantsOfType('ERROR')[0] ?? tree.rootNode;
    console.error(`${script}: ${wrong.startPosition.row + 1}: syntax error: ${wrong.text.slice(0, 60)}`);
    bad = 1;
  }
  const names = tree.rootNode.descendantsOfType('command_name').map((n) => n.text + '\n');
  writeFileSync(script + '.parsed', names.join(''));
  tree.delete();
}
process.exit(bad);
