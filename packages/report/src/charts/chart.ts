/** An SVG file that stands beside the report under its name. */
export interface Chart {
  name: string;
  svg: string;
}
