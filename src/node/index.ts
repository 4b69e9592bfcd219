/// <reference lib="esnext.disposable" preserve="true" />
/**
 * What only a process has: signals and an exit code.
 *
 *   run-main     the root of a program
 *
 * @packageDocumentation
 */
export { runMain, type MainOptions } from './run-main.ts';
