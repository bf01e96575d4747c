import { z } from 'zod';
import { chipSchema } from './chip.js';

/** targets/chip.schema.json: what editors complete chip files from. */
export function chipJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(chipSchema), null, 2)}\n`;
}
