// Finds the migrations of every room: each compiled file of migrations/ exports its one class.
import { readdir } from 'node:fs/promises';
import { type MigrationInterface } from 'typeorm';

type MigrationClass = new () => MigrationInterface;

const FOLDER = new URL('../../migrations/', import.meta.url);
const FILE_NAME = /^\d{13}-[a-z0-9-]+\.js$/;

/** The migration classes, oldest first. */
export async function loadMigrations(): Promise<MigrationClass[]> {
  const files = (await readdir(FOLDER)).filter((file) => FILE_NAME.test(file)).sort();
  const modules = await Promise.all(files.map((file) => import(new URL(file, FOLDER).href) as Promise<Record<string, unknown>>));
  return modules.flatMap((module) => Object.values(module).filter((value): value is MigrationClass => typeof value === 'function'));
}
