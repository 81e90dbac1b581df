-- What a route costs and whether it can be used is the provider's to say too: held orders are looked at again when it
-- changes, as when a price does. Balances and pauses come and go all the time and are not among this.
CREATE TRIGGER provider_bumps_version AFTER UPDATE ON provider
    FOR EACH ROW WHEN (OLD.enabled IS DISTINCT FROM NEW.enabled OR OLD.exchange_rate IS DISTINCT FROM NEW.exchange_rate)
    EXECUTE FUNCTION bump_catalogue_version();
