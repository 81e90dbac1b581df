-- A subject was one text: `order 12`, `refill of order 12`, `provider acme`, `books`.
UPDATE alert
   SET subject_kind = CASE WHEN starts_with(subject, 'refill of order ') THEN 'refill'
                           ELSE split_part(subject, ' ', 1) END,
       subject_id = CASE WHEN starts_with(subject, 'refill of order ') THEN substr(subject, 17)
                         WHEN strpos(subject, ' ') = 0 THEN ''
                         ELSE substr(subject, strpos(subject, ' ') + 1) END;
