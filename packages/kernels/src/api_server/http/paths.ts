import type { Route } from '../routes/route.ts';

/** Methods of the routes a path fits. */
export function methodsOf(routes: readonly Pick<Route, 'path' | 'method'>[], path: string): string[] {
  const parts = path.split('/');
  const fits = (pattern: string): boolean => {
    const wanted = pattern.split('/');
    const isOpen = wanted.at(-1) === '*';
    if (isOpen ? parts.length < wanted.length : parts.length !== wanted.length) return false;
    return wanted.every((part, i) => part === '*' || (part.startsWith(':') ? parts[i] !== '' : part === parts[i]));
  };
  return [...new Set(routes.filter((route) => fits(route.path)).map(({ method }) => method))];
}
