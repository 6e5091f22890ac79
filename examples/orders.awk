#!/usr/bin/awk -f
#
# orders.awk -- writes orders.csv, always the same one.
#
# usage: awk -f examples/orders.awk -v orders=2000 >examples/orders.csv
#
# Cards end in digits to which the pretended bank of payment.sql reacts: 0119
# fails twice, 9995 once, 0002 always.

# A generator of our own: rand() differs between awks.
function random(n)
{
	seed = (seed * 16807) % 2147483647
	return seed % n
}

function pick(list, words, n)
{
	n = split(list, words, " ")
	return words[random(n) + 1]
}

function card(n)
{
	n = random(1000)
	return n < 40 ? "0119" : n < 90 ? "9995" : n < 105 ? "0002" : pick("4242 4444 1117 8210")
}

BEGIN {
	if (!orders)
		orders = 2000
	seed = 20150401
	first = "Ada Alan Barbara Claude Donald Dorothy Edgar Edsger Fran Frances Grace Jim Joan John Karen Ken Leslie Lynn Margaret Mary Maurice Michael Niklaus Radia Rozsa Shafi Sophie Tony"
	last = "Allen Bachman Backus Bartik Borg Codd Conway Dijkstra Goldwasser Gray Hamilton Hoare Hopper Kernighan Knuth Lamport Liskov Lovelace Perlman Peter Shannon Stonebraker Turing Vaughan Wilkes Wilson Wirth Zadeh"
	goods = "ATLAS BOOTS CAMERA DESK EASEL FLUTE GLOBE HAMMOCK INK JACKET KETTLE LAMP MIRROR NOTEBOOK ORCHID PIANO QUILT RADIO SADDLE TEAPOT"
	split("39 120 480 310 85 145 60 90 12 160 45 75 110 9 28 2900 130 95 340 35", price, " ")
	n = split(goods, good, " ")

	print "order_id,customer,sku,quantity,amount,card"
	for (i = 1; i <= orders; i++) {
		# Few buy the dear things.
		do g = random(n) + 1; while (price[g] > 300 && random(4) > 0)
		quantity = random(10) < 7 ? 1 : 2 + random(3)
		amount = price[g] * quantity - 0.1 - random(2) * 0.4
		name = pick(first)
		name = name " " pick(last)
		sku = good[g] "-" pick("A B C")
		printf "%d,%s,%s,%d,%.2f,%s\n", 10000 + i, name, sku, quantity, amount, card()
	}
}
