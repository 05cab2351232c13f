CREATE TABLE books (id integer PRIMARY KEY, title text NOT NULL, author text NOT NULL, published integer, shelf text);
COMMENT ON TABLE books IS 'what the library has';
COMMENT ON COLUMN books.shelf IS 'where it stands; NULL while it is being repaired';
CREATE TABLE loans (id bigint PRIMARY KEY, book integer NOT NULL REFERENCES books, due date NOT NULL, returned boolean NOT NULL DEFAULT false);
CREATE VIEW overdue AS SELECT b.title, l.due FROM loans l JOIN books b ON b.id = l.book WHERE NOT l.returned AND l.due < DATE '2030-01-01';
INSERT INTO books VALUES
	(1, 'Middlemarch', 'George Eliot', 1871, 'E4'),
	(2, 'The Left Hand of Darkness', 'Ursula K. Le Guin', 1969, 'L2'),
	(3, 'Things Fall Apart', 'Chinua Achebe', 1958, 'A1'),
	(4, 'Pedro Páramo', 'Juan Rulfo', 1955, NULL),
	(5, 'The Dispossessed', 'Ursula K. Le Guin', 1974, 'L2');
INSERT INTO loans VALUES (9007199254740993, 2, '2026-03-01', false), (2, 3, '2026-04-15', true), (3, 5, '2026-05-02', false);
