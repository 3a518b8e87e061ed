import { posix } from 'node:path';
import { parseSync, visitorKeys } from 'oxc-parser';
import {
  CORE_PACKAGES,
  FOLDERS,
  FORBIDDEN_GLOBALS,
  FORBIDDEN_MEMBERS,
  MUTATING_METHODS,
  ROOMS,
} from './rules.js';

/** A node of the ESTree that the parser gives; only what the check looks at. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/**
 * Checks the source files given as path (from the repository's root, with `/`) and text against the rules of
 * `rules.ts`. Returns one line for each violation: `file:line: what is wrong`.
 */
export function checkBoundaries(files: ReadonlyMap<string, string>): string[] {
  const violations: string[] = [];
  for (const [path, text] of files) {
    const { program, errors } = parseSync(path, text);
    const report = (at: number, message: string) => {
      violations.push(`${path}:${text.slice(0, at).split('\n').length}: ${message}`);
    };
    for (const error of errors) report(error.labels[0]?.start ?? 0, error.message);
    const tree = program as unknown as Node;
    checkImports(path, tree, files, report);
    if (path.startsWith('src/')) {
      checkNames(tree, report);
      checkModuleState(tree, report);
    }
  }
  return violations;
}

type Report = (at: number, message: string) => void;

/** Every way to name another module: static, re-export, dynamic, and in a type. */
function checkImports(path: string, tree: Node, files: ReadonlyMap<string, string>, report: Report): void {
  walk(tree, (node) => {
    const source = node.source as Node | null | undefined;
    const names =
      node.type === 'ImportDeclaration' ||
      node.type === 'ExportNamedDeclaration' ||
      node.type === 'ExportAllDeclaration' ||
      node.type === 'ImportExpression' ||
      node.type === 'TSImportType';
    if (!names || !source) return;
    if (typeof source.value !== 'string') {
      report(node.start, 'import of a computed name: nobody can tell where it leads');
      return;
    }
    const problem = importProblem(path, source.value, files);
    if (problem) report(node.start, `import '${source.value}': ${problem}`);
  });
}

function importProblem(path: string, name: string, files: ReadonlyMap<string, string>): string | undefined {
  const folder = path.split('/')[0];
  if (!name.startsWith('.')) {
    if (folder === 'boards' && name.startsWith('node:')) return 'boards/ runs on XS, not on Node';
    if (folder !== 'src' || CORE_PACKAGES.test(name)) return undefined;
    return name.startsWith('node:')
      ? 'src/ is portable and imports nothing of Node'
      : 'src/ may use only the packages that run on every engine (rules.ts)';
  }
  const target = posix.normalize(posix.join(posix.dirname(path), name));
  const targetFolder = target.split('/')[0];
  if (targetFolder !== folder) {
    return FOLDERS[folder].includes(targetFolder) ? undefined : `${folder}/ must not import ${targetFolder}/`;
  }
  if (folder !== 'src') return undefined;
  if (!target.endsWith('.js')) return "relative imports end in '.js'";
  if (!files.has(target.replace(/\.js$/, '.ts'))) return 'there is no such file';
  const from = room(path);
  const to = room(target);
  if (!(from in ROOMS)) return `room '${from}' is not in rules.ts`;
  if (from !== to && !ROOMS[from].includes(to)) return `room '${from}' must not import room '${to}'`;
  return undefined;
}

/** `src/wireguard/peer.ts` is in room `wireguard`, `src/gateway.ts` is room `gateway`. */
function room(path: string): string {
  return path.split('/')[1].replace(/\.[jt]s$/, '');
}

/** Globals and members that the core must not use, and BigInt literals. */
function checkNames(tree: Node, report: Report): void {
  const declared = declaredNames(tree);
  walk(tree, (node, parent, key) => {
    if (node.type === 'Literal' && 'bigint' in node) {
      report(node.start, `BigInt literal: ${FORBIDDEN_GLOBALS.BigInt}`);
    }
    if (node.type === 'MemberExpression') {
      const object = (node.object as Node).name as string;
      const property = (node.property as Node).name as string;
      for (const member of [`${object}.${property}`, `DataView.${property}`]) {
        if (Object.hasOwn(FORBIDDEN_MEMBERS, member)) {
          report(node.start, `${member}: ${FORBIDDEN_MEMBERS[member]}`);
        }
      }
    }
    if (node.type !== 'Identifier') return;
    const name = node.name as string;
    // The name of a property is not a reference to the global of that name.
    const property =
      ((key === 'property' || key === 'key') && parent?.computed !== true) ||
      key === 'imported' ||
      key === 'exported' ||
      key === 'label';
    if (property || declared.has(name) || !Object.hasOwn(FORBIDDEN_GLOBALS, name)) return;
    report(node.start, `${name}: ${FORBIDDEN_GLOBALS[name]}`);
  });
}

/** Names bound anywhere in the file: imports, variables, parameters, functions and types. */
function declaredNames(tree: Node): Set<string> {
  const names = new Set<string>();
  walk(tree, (node) => {
    if (node.type === 'VariableDeclarator') patternNames(node.id as Node, names);
    if (FUNCTIONS.has(node.type)) for (const p of node.params as Node[]) patternNames(p, names);
    if (node.type === 'ImportSpecifier') names.add((node.local as Node).name as string);
    if (node.type === 'CatchClause' && node.param) patternNames(node.param as Node, names);
    const id = node.id as Node | null | undefined;
    if (/Declaration$/.test(node.type) && id?.type === 'Identifier') names.add(id.name as string);
  });
  return names;
}

function patternNames(pattern: Node, names: Set<string>): void {
  walk(pattern, (node, parent, key) => {
    if (node.type === 'Identifier' && !(parent?.type === 'Property' && key === 'key')) {
      names.add(node.name as string);
    }
  });
}

/**
 * A module keeps no state: firmware puts modules into read-only memory, and two gateways in one process must
 * not meet. So no variables at the top, no changeable static fields, and nobody writes into a constant.
 */
function checkModuleState(tree: Node, report: Report): void {
  const constants = new Set<string>();
  for (const statement of tree.body as Node[]) {
    const declaration = (statement.declaration as Node | null | undefined) ?? statement;
    if (declaration.type !== 'VariableDeclaration') continue;
    if (declaration.kind !== 'const') {
      report(declaration.start, `module-level '${declaration.kind}': state belongs to instances`);
    }
    for (const { id } of declaration.declarations as { id: Node }[]) patternNames(id, constants);
  }
  walk(tree, (node) => {
    if (node.type === 'PropertyDefinition' && node.static && !node.readonly) {
      report(node.start, 'static field that is not readonly: state belongs to instances');
    }
    let written: Node | undefined;
    if (node.type === 'AssignmentExpression') written = node.left as Node;
    if (node.type === 'UpdateExpression') written = node.argument as Node;
    if (node.type === 'UnaryExpression' && node.operator === 'delete') written = node.argument as Node;
    const callee = node.type === 'CallExpression' ? (node.callee as Node) : undefined;
    if (
      callee?.type === 'MemberExpression' &&
      MUTATING_METHODS.has((callee.property as Node).name as string)
    ) {
      written = callee;
    }
    if (written?.type !== 'MemberExpression') return;
    const owner = rootName(written);
    if (owner !== undefined && constants.has(owner)) {
      report(node.start, `writes into module-level '${owner}': state belongs to instances`);
    }
  });
}

/** `a` of `a.b[c].d`. */
function rootName(node: Node): string | undefined {
  let at = node;
  while (at.type === 'MemberExpression') at = at.object as Node;
  return at.type === 'Identifier' ? (at.name as string) : undefined;
}

/** Calls `visit` for each node below and including `node`, parents first, with the key it hangs on. */
function walk(
  node: Node,
  visit: (node: Node, parent: Node | undefined, key: string) => void,
  parent?: Node,
  key = '',
): void {
  visit(node, parent, key);
  for (const name of visitorKeys[node.type] ?? []) {
    const child = node[name] as Node | (Node | null)[] | null | undefined;
    for (const one of Array.isArray(child) ? child : [child]) if (one) walk(one, visit, node, name);
  }
}
