-- What an id stands for never changes; it is forgotten when it is old.
CREATE TRIGGER order_request_stays BEFORE UPDATE OR TRUNCATE ON order_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
