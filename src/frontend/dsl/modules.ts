import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { ExportDeclaration, ImportDeclaration, SourceFile, Statement } from 'ts-morph';
import { type Diagnostic, type SourceLoc, SpillwayError } from '../../base/diagnostic.js';
import { LIMITS, type Machine } from './machine.js';
import { declare, type Frame, initSlot, innerScope, newFrame, type Scope } from './scope.js';
import { translateExpression } from './translate-expression.js';
import { declareStatements, translateSequence } from './translate-statement.js';
import { Node, Project, ts } from './ts-morph.js';
import { locate, report, reportNotEvaluated, type Unit } from './unit.js';
import type { Value } from './values.js';

/** The module that every model file imports; its functions are evaluated by us. */
const MODEL_MODULE = 'spillway/model';

/** What a source file exports, with its values. */
export interface EvaluatedModule {
  readonly exports: ReadonlyMap<string, Value>;
  /** Place of the default export, or of the file. */
  readonly defaultSite: SourceLoc;
}

/** Everything the files of one model share. */
export interface ModuleLoader {
  readonly machine: Machine;
  readonly project: Project;
  /** Real path of the folder of the model file: imports stay inside. */
  readonly root: string;
  /** The folder as the user named it, for messages. */
  readonly shownRoot: string;
  readonly globals: ReadonlyMap<string, Value>;
  readonly modelModule: ReadonlyMap<string, Value>;
  /** By real path; undefined while the file is being evaluated. */
  readonly modules: Map<string, EvaluatedModule | undefined>;
}

export function newModuleLoader(
  machine: Machine,
  path: string,
  globals: ReadonlyMap<string, Value>,
  modelModule: ReadonlyMap<string, Value>,
): ModuleLoader {
  // Only the parser is used: no lib files, no resolution, nothing read from disk by the compiler itself.
  const project = new Project({
    useInMemoryFileSystem: true,
    skipLoadingLibFiles: true,
    skipFileDependencyResolution: true,
    compilerOptions: { noLib: true, noResolve: true, types: [], target: ts.ScriptTarget.ES2022 },
  });
  const real = realPathOf(path, { file: path });
  return { machine, project, root: dirname(real), shownRoot: dirname(path), globals, modelModule, modules: new Map() };
}

function realPathOf(path: string, site: SourceLoc, shown = path): string {
  try {
    return realpathSync(path);
  } catch {
    return refuse('SW1001', `'${shown}' cannot be read`, site, 'is the path right?');
  }
}

function refuse(code: 'SW1001' | 'SW1002' | 'SW1007', message: string, loc: SourceLoc, hint?: string): never {
  const diagnostic: Diagnostic = { code, blame: 'model', message, loc };
  throw new SpillwayError([hint === undefined ? diagnostic : { ...diagnostic, hint }]);
}

/** Reads, parses, checks and evaluates one file, with the files it imports first. */
export function loadModule(loader: ModuleLoader, path: string, importer?: SourceLoc): EvaluatedModule {
  const shown = importer === undefined ? path : join(loader.shownRoot, relative(loader.root, path));
  const site = importer ?? { file: shown };
  const real = realPathOf(path, site);
  const known = loader.modules.get(real);
  if (known !== undefined) return known;
  if (loader.modules.has(real)) refuse('SW1007', `'${shown}' imports itself, over other files or directly`, site);
  if (loader.modules.size >= LIMITS.sourceFiles) {
    refuse('SW1007', `the model has more than ${LIMITS.sourceFiles} source files`, site);
  }
  loader.modules.set(real, undefined);
  const source = parse(loader, real, shown, site);
  const unit: Unit = { file: shown, machine: loader.machine, diagnostics: [] };
  const evaluated = evaluateModule(loader, unit, source, dirname(real));
  loader.modules.set(real, evaluated);
  return evaluated;
}

function parse(loader: ModuleLoader, real: string, shown: string, site: SourceLoc): SourceFile {
  const source = loader.project.createSourceFile(`/source${loader.modules.size}.ts`, readText(real, shown, site));
  const diagnostics = loader.project.getProgram().getSyntacticDiagnostics(source);
  if (diagnostics.length === 0) return source;
  throw new SpillwayError(
    diagnostics.slice(0, 20).map((diagnostic): Diagnostic => {
      const { line, column } = source.getLineAndColumnAtPos(diagnostic.getStart());
      const text = diagnostic.getMessageText();
      const message = typeof text === 'string' ? text : text.getMessageText();
      return { code: 'SW1002', blame: 'model', message, loc: { file: shown, line, column } };
    }),
  );
}

function readText(real: string, shown: string, site: SourceLoc): string {
  try {
    const stats = statSync(real);
    if (stats.isFile() && stats.size <= LIMITS.sourceBytes) return readFileSync(real, 'utf8');
    if (!stats.isFile()) return refuse('SW1001', `'${shown}' is no file`, site);
    return refuse('SW1001', `'${shown}' has ${stats.size} B, over the limit of ${LIMITS.sourceBytes} B`, site);
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    return refuse('SW1001', `'${shown}' cannot be read`, site);
  }
}

function evaluateModule(loader: ModuleLoader, unit: Unit, source: SourceFile, folder: string): EvaluatedModule {
  const globalScope = innerScope(undefined);
  for (const name of loader.globals.keys()) declare(globalScope, name, false);
  const globalFrame = newFrame(globalScope, undefined);
  for (const [name, value] of loader.globals) initSlot(globalFrame, globalScope, name, value);

  const scope = innerScope(globalScope);
  const statements = source.getStatements();
  const imported: [string, Value][] = [];
  for (const statement of statements) {
    if (Node.isImportDeclaration(statement)) imported.push(...resolveImport(loader, unit, statement, scope, folder));
  }
  const body = statements.filter((statement) => !isModuleStatement(statement));
  declareStatements(unit, scope, body);
  const run = translateSequence(unit, scope, body);
  const exported = translateExports(unit, scope, statements);
  if (unit.diagnostics.length > 0) throw new SpillwayError(unit.diagnostics.slice(0, 50));

  const frame = newFrame(scope, globalFrame);
  for (const [name, value] of imported) initSlot(frame, scope, name, value);
  const completion = run(frame);
  if (completion !== undefined)
    refuse('SW1002', 'return, break or continue outside a function or a loop', { file: unit.file });
  const exports = new Map(exported.map(({ name, read }) => [name, read(frame)]));
  const defaultSite = exported.find(({ name }) => name === 'default')?.site ?? { file: unit.file };
  return { exports, defaultSite };
}

function isModuleStatement(node: Statement): boolean {
  return Node.isImportDeclaration(node) || Node.isExportAssignment(node) || Node.isExportDeclaration(node);
}

/** Declares the names of an import and finds their values; types are left out. */
function resolveImport(
  loader: ModuleLoader,
  unit: Unit,
  node: ImportDeclaration,
  scope: Scope,
  folder: string,
): [string, Value][] {
  if (node.isTypeOnly()) return [];
  const exports = exportsOf(loader, unit, node, folder);
  if (exports === undefined) return [];
  const bound: [string, Value][] = [];
  const bind = (name: string, value: Value, at: Node): void => {
    if (!declare(scope, name, false)) report(unit, 'SW1002', `'${name}' is imported twice`, at);
    bound.push([name, value]);
  };
  const namespace = node.getNamespaceImport();
  if (namespace !== undefined) {
    bind(namespace.getText(), { kind: 'record', fields: new Map(exports), sealed: true }, namespace);
  }
  const wanted = node.getNamedImports().filter((specifier) => !specifier.isTypeOnly());
  for (const specifier of wanted) {
    const name = specifier.getName();
    if (!exports.has(name)) {
      const hint = `exported: ${[...exports.keys()].join(', ')}; import types with 'import type'`;
      report(unit, 'SW1007', `'${name}' is not exported by ${node.getModuleSpecifierValue()}`, specifier, hint);
    }
    bind(specifier.getAliasNode()?.getText() ?? name, exports.get(name), specifier);
  }
  const defaultImport = node.getDefaultImport();
  if (defaultImport !== undefined) {
    if (!exports.has('default')) report(unit, 'SW1007', 'there is no default export to import', defaultImport);
    bind(defaultImport.getText(), exports.get('default'), defaultImport);
  }
  return bound;
}

function exportsOf(
  loader: ModuleLoader,
  unit: Unit,
  node: ImportDeclaration,
  folder: string,
): ReadonlyMap<string, Value> | undefined {
  const specifier = node.getModuleSpecifierValue();
  if (specifier === MODEL_MODULE) return loader.modelModule;
  const hint = `import from '${MODEL_MODULE}', or from a .ts file in the folder of the model or below it`;
  if (!/^\.\.?\//.test(specifier) || !/\.[jt]s$/.test(specifier)) {
    report(unit, 'SW1007', `'${specifier}' cannot be imported`, node, hint);
    return undefined;
  }
  const site = locate(unit, node);
  const path = join(folder, specifier.replace(/\.js$/, '.ts'));
  // Outside by its name: refused before the disk is asked, so that a model cannot learn what exists. By a link: after.
  const inside = isInside(loader, path) && isInside(loader, realPathOf(path, site, specifier));
  if (inside) return loadModule(loader, path, site).exports;
  report(unit, 'SW1007', `'${specifier}' lies outside the folder of the model`, node, hint);
  return undefined;
}

function isInside(loader: ModuleLoader, path: string): boolean {
  return path.startsWith(loader.root + sep) && path.endsWith('.ts');
}

interface Exported {
  readonly name: string;
  readonly read: (frame: Frame) => Value;
  readonly site: SourceLoc;
}

function translateExports(unit: Unit, scope: Scope, statements: readonly Statement[]): Exported[] {
  return statements.flatMap((statement): Exported[] => {
    const site = locate(unit, statement);
    if (Node.isExportAssignment(statement)) {
      if (statement.isExportEquals()) reportNotEvaluated(unit, "'export =' is", statement, 'use export default');
      return [{ name: 'default', read: translateExpression(unit, scope, statement.getExpression()), site }];
    }
    if (Node.isExportDeclaration(statement)) return translateNamedExports(unit, scope, statement);
    const isExported = Node.isExportable(statement) && statement.isExported();
    if (!isExported || Node.isInterfaceDeclaration(statement) || Node.isTypeAliasDeclaration(statement)) return [];
    if (Node.isFunctionDeclaration(statement)) {
      const name = statement.isDefaultExport() ? 'default' : (statement.getName() ?? '');
      const own = statement.getName() ?? '';
      return [{ name, read: readName(scope, own), site }];
    }
    if (!Node.isVariableStatement(statement)) return [];
    return statement.getDeclarations().map((declaration) => {
      const name = declaration.getName();
      if (!Node.isIdentifier(declaration.getNameNode())) {
        reportNotEvaluated(unit, 'exporting what is taken apart is', declaration, 'export each name by itself');
      }
      return { name, read: readName(scope, name), site };
    });
  });
}

function translateNamedExports(unit: Unit, scope: Scope, node: ExportDeclaration): Exported[] {
  if (node.isTypeOnly()) return [];
  if (node.getModuleSpecifier() !== undefined) {
    reportNotEvaluated(unit, "'export ... from' is", node, 'import first, then export');
    return [];
  }
  return node.getNamedExports().map((specifier) => {
    const own = specifier.getName();
    if (!scope.bindings.has(own)) report(unit, 'SW1004', `'${own}' is not defined`, specifier);
    const name = specifier.getAliasNode()?.getText() ?? own;
    return { name, read: readName(scope, own), site: locate(unit, specifier) };
  });
}

/** A name of the file's own scope, after the file was evaluated. */
function readName(scope: Scope, name: string): (frame: Frame) => Value {
  const binding = scope.bindings.get(name);
  return (frame) => {
    const value = binding === undefined ? undefined : frame.slots[binding.slot];
    return typeof value === 'symbol' ? undefined : value;
  };
}
