CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' CONNECTION LIMIT 16 IN ROLE mcp_reader;
ALTER ROLE "{{name}}" SET default_transaction_read_only = on;
ALTER ROLE "{{name}}" SET statement_timeout = '30s';
