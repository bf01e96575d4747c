/**
 * The values of ts-morph. Loaded as the CommonJS module that it is: an import would first read all ten megabytes of it for the names
 * that it exports.
 */
import { createRequire } from 'node:module';
import type * as TsMorph from 'ts-morph';

const tsMorph = createRequire(import.meta.url)('ts-morph') as typeof TsMorph;

export const { Node, Project, SyntaxKind, ts, VariableDeclarationKind } = tsMorph;
export type Node = TsMorph.Node;
export type Project = TsMorph.Project;
