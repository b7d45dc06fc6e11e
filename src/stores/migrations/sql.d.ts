// SQL files are bundled as text, so that a compiled binary carries its migrations.

declare module "*.sql" {
  const text: string;
  export default text;
}
