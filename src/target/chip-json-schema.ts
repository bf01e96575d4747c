import { z } from 'zod';
import { chipSchema } from './chip.js';

/** What of a chip file a variant may say: everything, and nothing of it has to be there but its name. */
function variantSchema(): z.ZodObject {
  const { $schema, name } = chipSchema.shape;
  return allOptional(chipSchema).extend({
    ...($schema === undefined ? {} : { $schema }),
    name,
    extends: z.string().describe('a name in targets/, or the path of a chip file, which this one is a variant of'),
  });
}

function allOptional(schema: z.ZodObject): z.ZodObject {
  const shape = Object.entries(schema.shape).map(([key, field]) => {
    const inner = field instanceof z.ZodObject ? allOptional(field) : field;
    return [key, z.optional(inner)] as const;
  });
  return z.strictObject(Object.fromEntries(shape));
}

/** targets/chip.schema.json: what editors complete chip files from. */
export function chipJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(z.union([chipSchema, variantSchema()])), null, 2)}\n`;
}
