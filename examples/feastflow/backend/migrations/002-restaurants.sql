-- SPDX-License-Identifier: Apache-2.0

INSERT INTO restaurants (name, cuisine, description, rating, delivery_minutes) VALUES
  ('Nonna Rosa',      'Italian',  'Wood-fired pizza and fresh pasta, the way Rosa''s grandmother made it.', 4.8, 35),
  ('Saffron Garden',  'Indian',   'Curries that simmer all morning, bread from the clay oven.',             4.7, 40),
  ('Kumo Sushi',      'Japanese', 'Rolls and bowls, made when you order.',                                  4.9, 30),
  ('Casa Maíz',       'Mexican',  'Corn tortillas pressed by hand, salsas from mild to brave.',             4.5, 25),
  ('The Green Table', 'Vegan',    'Vegetables in the leading role.',                                        4.6, 30),
  ('Harbour Grill',   'Burgers',  'Smoked, grilled and stacked high.',                                      4.3, 20);

INSERT INTO menu_items (restaurant_id, name, description, price_cents)
SELECT r.id, m.name, m.description, m.price_cents
FROM restaurants r
JOIN (VALUES
  ( 1, 'Nonna Rosa',      'Pizza Margherita',   'Tomato, fior di latte, basil',                  1150),
  ( 2, 'Nonna Rosa',      'Pizza Diavola',      'Spicy salami, chilli oil',                      1350),
  ( 3, 'Nonna Rosa',      'Tagliatelle al ragù','Slow-cooked beef and pork',                     1490),
  ( 4, 'Nonna Rosa',      'Tiramisù',           'Mascarpone, espresso, cocoa',                    690),
  ( 5, 'Saffron Garden',  'Butter chicken',     'Tomato, cream, fenugreek',                      1420),
  ( 6, 'Saffron Garden',  'Palak paneer',       'Spinach and fresh cheese',                      1280),
  ( 7, 'Saffron Garden',  'Garlic naan',        'From the tandoor',                               390),
  ( 8, 'Saffron Garden',  'Mango lassi',        'Yoghurt and Alphonso mango',                     450),
  ( 9, 'Kumo Sushi',      'Salmon nigiri',      'Six pieces',                                    1290),
  (10, 'Kumo Sushi',      'Rainbow roll',       'Tuna, salmon, avocado; eight pieces',           1590),
  (11, 'Kumo Sushi',      'Chirashi bowl',      'Assorted fish on seasoned rice',                1850),
  (12, 'Kumo Sushi',      'Miso soup',          'Tofu, wakame, spring onion',                     420),
  (13, 'Casa Maíz',       'Tacos al pastor',    'Three, with roasted pineapple',                 1090),
  (14, 'Casa Maíz',       'Enchiladas verdes',  'Chicken, tomatillo salsa, crema',               1320),
  (15, 'Casa Maíz',       'Guacamole y totopos','Crushed to order',                               790),
  (16, 'Casa Maíz',       'Churros',            'Cinnamon sugar, dark chocolate',                 650),
  (17, 'The Green Table', 'Roasted cauliflower','Tahini, pomegranate, herbs',                    1190),
  (18, 'The Green Table', 'Lentil moussaka',    'Aubergine and oat béchamel',                    1340),
  (19, 'The Green Table', 'Garden bowl',        'Quinoa, edamame, pickled beetroot',             1240),
  (20, 'The Green Table', 'Lemon tart',         'With almond crust',                              720),
  (21, 'Harbour Grill',   'Classic burger',     'Beef, cheddar, pickles',                        1180),
  (22, 'Harbour Grill',   'Smokehouse burger',  'Bacon, onion jam, smoked gouda',                1390),
  (23, 'Harbour Grill',   'Halloumi burger',    'Grilled halloumi, harissa mayonnaise',          1250),
  (24, 'Harbour Grill',   'Sweet potato fries', 'With lime and chilli',                           520)
) AS m (n, restaurant, name, description, price_cents) ON m.restaurant = r.name
ORDER BY m.n;
