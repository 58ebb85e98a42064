import { didYouMean, GraceError } from '@grace/contracts';

/**
 * The part of JSON Schema (2020-12) in which requests are described. What stands in a request's schema is what is checked; answers are only
 * described, and may say more.
 */
export interface Schema {
  type?: string | readonly string[];
  description?: string;
  enum?: readonly (string | number)[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  maxItems?: number;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
}

const refuse = (place: string, expected: string, value: unknown): never => {
  const shown = value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 80) ?? typeof value);
  throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${shown}`, { place });
};

/**
 * The value as the schema says; texts of a query become numbers and booleans where the schema wants them.
 * @throws GraceError `BAD_INPUT` with the place, what was expected, and the nearest name of an unknown field
 */
export function checked(schema: Schema, value: unknown, place: string, fromText = false): unknown {
  switch (schema.type) {
    case 'object':
      return checkedObject(schema, value, place, fromText);
    case 'array': {
      if (!Array.isArray(value)) return refuse(place, 'a list', value);
      if (value.length > (schema.maxItems ?? 1000))
        return refuse(place, `at most ${schema.maxItems ?? 1000} entries`, value.length);
      return value.map((entry, i) => checked(schema.items ?? {}, entry, `${place}[${i}]`));
    }
    case 'string':
      return checkedText(schema, value, place);
    case 'integer':
    case 'number': {
      const { type, minimum = -Number.MAX_VALUE, maximum = Number.MAX_VALUE } = schema;
      const figure = fromText && typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
      const fits = typeof figure === 'number' && figure >= minimum && figure <= maximum;
      if (!fits || (type === 'integer' && !Number.isSafeInteger(figure)))
        return refuse(place, `a${type === 'integer' ? ' whole' : ''} number from ${minimum} to ${maximum}`, value);
      return figure;
    }
    case 'boolean': {
      const truth = fromText && (value === 'true' || value === 'false') ? value === 'true' : value;
      return typeof truth === 'boolean' ? truth : refuse(place, 'true or false', value);
    }
    default:
      return value;
  }
}

function checkedObject(schema: Schema, value: unknown, place: string, fromText: boolean): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return refuse(place, 'an object', value);
  const { properties = {}, required = [], additionalProperties } = schema;
  const given = value as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    const part = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (part) result[name] = checked(part, given[name], `${place}.${name}`, fromText);
    else if (additionalProperties === true) result[name] = given[name];
    else {
      const known = Object.keys(properties);
      const short = name.slice(0, 60);
      throw new GraceError(
        'BAD_INPUT',
        `${place}: "${short}" is not known here${didYouMean(short, known)}; known: ${known.join(', ') || 'none'}`,
        { place },
      );
    }
  }
  const missing = required.find((name) => !Object.hasOwn(given, name));
  return missing === undefined ? result : refuse(`${place}.${missing}`, 'a value', undefined);
}

function checkedText(schema: Schema, value: unknown, place: string): string {
  const { minLength = 0, maxLength = 4096, pattern } = schema;
  if (typeof value !== 'string') return refuse(place, 'a string', value);
  if (value.length < minLength || value.length > maxLength)
    return refuse(place, `${minLength} to ${maxLength} characters`, `${value.length} characters`);
  if (schema.enum && !schema.enum.includes(value)) {
    const names = schema.enum.map(String);
    return refuse(place, `one of ${names.join(', ')}${didYouMean(value.slice(0, 60), names)}`, value);
  }
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value))
    return refuse(place, `a text like ${pattern}`, value);
  return value;
}
