-- Events found by what they show and by what was done with them; none of it may grow with the table.

-- All events newest first, with everything a filter may ask of an event in the index itself.
ALTER TABLE events
  ADD KEY IF NOT EXISTS ix_events_time
    (timestamp, id, camera_id, ai_category, ai_person_detected, status, reviewed, protected, ai_confidence),
-- One camera's events of one category, newest first; NULL is the category of what nobody has looked at yet.
  ADD KEY IF NOT EXISTS ix_events_kind
    (camera_id, ai_category, timestamp, id, ai_person_detected, status, reviewed, protected, ai_confidence),
-- What may be rare.
  ADD KEY IF NOT EXISTS ix_events_protected (protected, timestamp, id),
  ADD KEY IF NOT EXISTS ix_events_reviewed (reviewed, timestamp, id),
  ADD KEY IF NOT EXISTS ix_events_status (status, timestamp, id),
  ADD KEY IF NOT EXISTS ix_events_person (ai_person_detected, timestamp, id);

-- The first of them does its work.
ALTER TABLE events DROP KEY IF EXISTS ix_events_timestamp;

-- Counts of events by camera and category.
INSERT INTO tallies (series, span, start, n)
  SELECT CONCAT('kind|', camera_id, '|', COALESCE(ai_category, 'pending')), 'month',
    DATE_FORMAT(timestamp, '%Y-%m-01') AS s, COUNT(*) AS c FROM events GROUP BY camera_id, ai_category, s
  ON DUPLICATE KEY UPDATE n = VALUES(n);
INSERT INTO tallies (series, span, start, n)
  SELECT CONCAT('kind|', camera_id, '|', COALESCE(ai_category, 'pending')), 'day',
    DATE_FORMAT(timestamp, '%Y-%m-%d') AS s, COUNT(*) AS c FROM events GROUP BY camera_id, ai_category, s
  ON DUPLICATE KEY UPDATE n = VALUES(n);
INSERT INTO tallies (series, span, start, n)
  SELECT CONCAT('kind|', camera_id, '|', COALESCE(ai_category, 'pending')), 'hour',
    DATE_FORMAT(timestamp, '%Y-%m-%d %H:00:00') AS s, COUNT(*) AS c FROM events GROUP BY camera_id, ai_category, s
  ON DUPLICATE KEY UPDATE n = VALUES(n);
