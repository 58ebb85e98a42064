/**
 * @module
 * The kernels of the product, one folder each. Their code is loaded by their own threads; this module gives only their manifests.
 */
export { catalogue } from './catalogue.ts';
